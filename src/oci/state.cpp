// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/state.hpp"

#include <nlohmann/json.hpp>

namespace sctr::oci {

std::string to_json(const State& state) {
    nlohmann::ordered_json object = {
        {"ociVersion", state.oci_version}, {"id", state.id}, {"status", state.status}};
    if (state.pid != 0) {
        object["pid"] = state.pid;
    }
    object["bundle"] = state.bundle;
    if (!state.annotations.empty()) {
        object["annotations"] = state.annotations;
    }
    return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace sctr::oci
