// SPDX-License-Identifier: LGPL-2.1-or-later
#include <climits>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "storage/layer_tree.hpp"

namespace sctr::storage {

namespace {

[[noreturn]] void refuse_path(const std::string& path, const std::string& why) {
    throw Error("cannot unpack the layer").at("/" + escape_controls(path)).because(why);
}

} // namespace

std::string clean_member_path(const std::string& name) {
    if (name.contains('\0')) {
        refuse_path(name, "a name with a NUL");
    }
    std::string clean;
    for (const std::string& part : split(name, '/')) {
        if (part.empty() || part == ".") {
            continue;
        }
        if (part == "..") {
            refuse_path(name, "a name that leads out of the layer");
        }
        if (part.size() > NAME_MAX) {
            refuse_path(name.substr(0, 80) + "...", "a name longer than 255 bytes");
        }
        clean += (clean.empty() ? "" : "/") + part;
    }
    if (clean.size() >= PATH_MAX) {
        refuse_path(name.substr(0, 80) + "...", "a path longer than 4095 bytes");
    }
    return clean;
}

} // namespace sctr::storage
