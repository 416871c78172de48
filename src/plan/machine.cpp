// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/machine.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace sctr::plan {

namespace {

bool is_label(std::string_view label) {
    constexpr std::string_view characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789-_";
    return !label.empty() && label.find_first_not_of(characters) == std::string_view::npos &&
           !label.starts_with('-') && !label.ends_with('-');
}

} // namespace

bool is_machine_name(std::string_view name) {
    constexpr std::size_t longest = 64; // HOST_NAME_MAX
    return name.size() <= longest && std::ranges::all_of(split(name, '.'), is_label);
}

} // namespace sctr::plan
