// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "storage/store.hpp"

/// Secrets by name: one file each, closed to everybody but its owner, and on disk when it is
/// reported done. What is in one goes to containers alone; nothing here shows it.
namespace sctr::storage {

struct Secret {
    std::string name;
    std::int64_t created_usec = 0; ///< CLOCK_REALTIME
    std::int64_t updated_usec = 0;
    std::map<std::string, std::string> labels;
};

inline constexpr std::size_t longest_secret = 512'000; ///< podman's

/// Throws Error unless the text can be a secret's name.
void check_secret_name(const std::string& name);

/// Stores `text` under a name that is free, or with `replace` may be taken. Throws Error.
void create_secret(const Store& store, Secret secret, const std::string& text, bool replace);

/// What it is; throws Error when there is none of that name.
Secret describe_secret(const Store& store, const std::string& name);
/// What is in it; throws Error when there is none of that name.
std::string load_secret(const Store& store, const std::string& name);

std::vector<Secret> list_secrets(const Store& store); ///< sorted by name

/// Throws Error when there is none of that name.
void remove_secret(const Store& store, const std::string& name);

} // namespace sctr::storage
