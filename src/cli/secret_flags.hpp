// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/run_flags.hpp"

/// --secret and --credential, as read: where a secret comes from and what a container gets.
namespace sctr::cli {

struct SecretUse {
    std::string flag; ///< as typed, for messages
    std::string name;
    bool is_credential = false; ///< systemd's, not one of the store
    std::string path;           ///< of a credential: the file that it is loaded from; may be empty
    bool is_variable = false;
    std::string target; ///< absolute path in the container, or the variable's name
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t mode = 0444;
};

/// Where secrets are in a container, unless a flag says otherwise: in memory.
inline constexpr const char* secrets_directory = "/run/secrets";

/// NAME[,type=mount|env][,target=...][,uid=N][,gid=N][,mode=OCTAL], as in podman; of a credential
/// NAME[:PATH][,...]. Throws Error.
std::vector<SecretUse> parse_secrets(const MountFlags& flags);

} // namespace sctr::cli
