// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/serialize.hpp"

#include <nlohmann/json.hpp>

#include "oci/fields.hpp"
#include "oci/parse.hpp"
#include "oci/writer.hpp"

namespace sctr::oci {

std::string serialize(const Spec& spec) {
    return serialize_object(spec);
}

Resources merge(const Resources& base, const Resources& change) {
    auto merged = nlohmann::json::parse(serialize_object(base));
    merged.merge_patch(nlohmann::json::parse(serialize_object(change)));
    return parse_resources(merged.dump());
}

} // namespace sctr::oci
