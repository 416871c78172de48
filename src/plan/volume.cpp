// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/volume.hpp"

#include <string_view>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"

namespace sctr::plan {

void check_volume_name(const std::string& name) {
    constexpr std::string_view first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789";
    constexpr std::string_view others = "_.-";
    constexpr std::size_t longest = 200; // its lock has a longer one
    bool valid = !name.empty() && name.size() <= longest && first.contains(name.front());
    for (const char letter : name) {
        valid = valid && (first.contains(letter) || others.contains(letter));
    }
    if (!valid) {
        throw Error("invalid volume name '" + escape_controls(name) + "'")
            .mend("letters, digits, '_', '.' and '-', at most 200, a letter or digit first");
    }
}

std::string volume_data(const std::string& volumes, const std::string& name) {
    return volumes + "/" + name + "/data";
}

std::string anonymous_volume(const std::string& owner, const std::string& destination) {
    return Sha256::of(owner + '\0' + destination);
}

} // namespace sctr::plan
