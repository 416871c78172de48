// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/place.hpp"

namespace sctr::oci {
namespace {

std::string escape(std::string_view key) {
    std::string escaped;
    for (const char c : key) {
        if (c == '~') {
            escaped += "~0";
        } else if (c == '/') {
            escaped += "~1";
        } else {
            escaped += c;
        }
    }
    return escaped;
}

} // namespace

std::string Place::pointer() const {
    if (parent_ == nullptr) {
        return {};
    }
    return parent_->pointer() + "/" + (is_index_ ? std::to_string(index_) : escape(key_));
}

} // namespace sctr::oci
