// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/parse.hpp"

#include "oci/fields.hpp"
#include "oci/reader.hpp"

namespace sctr::oci {

Spec parse(std::string_view json) {
    return parse_as<Spec>(json, "invalid config");
}

Process parse_process(std::string_view json) {
    return parse_as<Process>(json, "invalid process");
}

Resources parse_resources(std::string_view json) {
    return parse_as<Resources>(json, "invalid resources");
}

} // namespace sctr::oci
