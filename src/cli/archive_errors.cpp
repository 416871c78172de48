// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/archive_errors.hpp"

#include <string_view>

namespace sctr::cli {

namespace {

/// Whether there was something to take away.
bool drop_prefix(std::string& text, const std::string& prefix) {
    const bool is_there = text.starts_with(prefix);
    text.erase(0, is_there ? prefix.size() : 0);
    return is_there;
}

} // namespace

Error about_archive(const char* what,
                    const std::string& place,
                    const Error& failure,
                    const std::string& path) {
    std::string why = failure.what();
    for (const char* known : {"cannot unpack the archive: ",
                              "cannot unpack the layer: ",
                              "cannot read the layer: ",
                              "cannot read the archive: ",
                              "cannot load images: "}) {
        if (drop_prefix(why, known)) {
            break;
        }
    }
    for (const std::string& name : {path, place}) {
        if (!name.empty() && drop_prefix(why, name + ": ")) {
            break;
        }
    }
    for (std::size_t at = 0; !path.empty() && (at = why.find(path, at)) != std::string::npos;) {
        why.replace(at, path.size(), place);
        at += place.size();
    }
    Error error(what);
    error.at(place).because(why);
    if (why.ends_with("Unrecognized archive format")) {
        error.mend("it is to be a tar archive, compressed or not");
    }
    return error;
}

} // namespace sctr::cli
