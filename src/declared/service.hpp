// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "declared/resource.hpp"
#include "declared/unit_file.hpp"

/// From a file NAME.container to NAME.service, and from those of volumes and images to theirs.
/// Pure: what it gives depends on its arguments alone.
namespace sctr::declared {

/// Of the files' names.
constexpr std::string_view container_suffix = ".container";

/// A file and its drop-ins, in the order in which they are read.
struct Source {
    std::string path;
    std::string text;
};

/// A symlink beside the unit.
struct Link {
    std::string path;   ///< "multi-user.target.wants/web.service"
    std::string target; ///< "../web.service"

    bool operator==(const Link&) const = default;
};

/// What a file asks for.
struct Service {
    std::string unit;      ///< "web.service", "web@.service"
    std::string container; ///< its name; with specifiers where the unit is a template
    std::string file;
    std::string description;
    std::string rootfs;
    std::string image; ///< instead of that
    std::vector<std::string> flags;
    std::vector<std::string> command;
    std::string text; ///< of the unit
    std::vector<Link> links;
    std::vector<Problem> problems; ///< if there is one, the rest is not to be used
};

/// `sctr` is the path of that program. The first of `sources` is the file itself; `names` is what
/// the files that it may refer to are about. Of a file of a volume or image the service has no
/// container.
Service
make_service(const std::vector<Source>& sources, const std::string& sctr, const Names& names = {});

/// What all those files are about.
Names names_of(const std::vector<std::vector<Source>>& all);

} // namespace sctr::declared
