// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "cli/request_builder.hpp"
#include "cli/secret_flags.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

bool is_below(const std::string& path, const std::string& directory) {
    return path == directory || path.starts_with(directory + "/");
}

/// What is mounted later would hide what is there, or be hidden.
void refuse_covered(const SecretUse& use, const plan::Request& request) {
    const std::string directory = secrets_directory;
    const std::string place = is_below(use.target, directory) ? directory : use.target;
    for (const oci::Mount& mount : request.spec.mounts) {
        if (is_below(mount.destination, place)) {
            throw Error("two mounts at one place")
                .at(mount.destination)
                .because(use.flag + " goes there")
                .mend("give the secret another target");
        }
    }
    for (const plan::SecretStep& other : request.secrets) {
        if (other.target == use.target) {
            throw Error("two secrets at one place").at(use.target).mend("drop one of them");
        }
    }
}

} // namespace

void add_secrets(plan::Request& request, const MountFlags& flags, const RootfsFacts& facts) {
    const auto uses = parse_secrets(flags);
    for (std::size_t i = 0; i < uses.size(); ++i) {
        const SecretUse& use = uses[i];
        const std::string text = i < facts.secrets.size() ? facts.secrets[i] : "";
        if (!use.is_variable) {
            refuse_covered(use, request);
            request.secrets.push_back({.target = use.target,
                                       .text = text,
                                       .uid = use.uid,
                                       .gid = use.gid,
                                       .mode = use.mode});
            continue;
        }
        if (text.contains('\0')) {
            throw Error("the secret is no text, as a variable has to be")
                .at(use.flag)
                .mend("give it as a file: type=mount");
        }
        request.secret_variables.push_back(use.target + "=" + text);
        // Where it comes from, for whoever enters the container; not what it is.
        request.spec.annotations[secret_variable_annotation + use.target] =
            use.is_credential ? "credential:" + use.name : "secret:" + use.name;
    }
}

} // namespace sctr::cli
