// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sctr::oci {

/// What lines of a Containerfile, as --change has them, make of the member "config" of an image's
/// config: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR, in their
/// order; an instruction is followed by a blank or "=". An ENTRYPOINT without a CMD beside it takes
/// back the one that was there. `config` and the result are JSON objects; members that nothing is
/// said of stay. Throws Error at --change that names the line.
/// Source: Containerfile(5); image-spec, config.md; podman-commit(1), --change.
std::string change_config(std::string_view config, const std::vector<std::string>& changes);

} // namespace sctr::oci
