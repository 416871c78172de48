// SPDX-License-Identifier: LGPL-2.1-or-later
#include "declared/preview.hpp"

#include <cstdio>

#include "declared/search.hpp"
#include "declared/service.hpp"

namespace sctr::declared {

namespace {

/// Of the files that are looked at, those beside them, and those that systemd would find.
Names names_for(const std::vector<std::vector<Source>>& found,
                const std::vector<std::string>& directories) {
    std::vector<Problem> ignored;
    Names names = names_of(found);
    for (const auto& sources : found) {
        const std::string& path = sources.front().path;
        names.merge(names_of(find_sources({path.substr(0, path.rfind('/'))}, ignored)));
    }
    names.merge(names_of(find_sources(directories, ignored)));
    return names;
}

} // namespace

bool preview(const std::vector<std::string>& directories,
             const std::vector<std::string>& files,
             const std::string& sctr) {
    std::vector<Problem> problems;
    std::vector<std::vector<Source>> found;
    if (files.empty()) {
        found = find_sources(directories, problems);
    }
    for (const std::string& file : files) {
        if (auto sources = read_source(file, problems); !sources.empty()) {
            found.push_back(std::move(sources));
        }
    }
    const Names names = names_for(found, directories);
    for (const auto& sources : found) {
        const Service service = make_service(sources, sctr, names);
        problems.insert(problems.end(), service.problems.begin(), service.problems.end());
        if (!service.problems.empty()) {
            continue;
        }
        std::printf("--- %s\n%s", service.unit.c_str(), service.text.c_str());
        for (const Link& link : service.links) {
            std::printf("--- %s -> %s\n", link.path.c_str(), link.target.c_str());
        }
    }
    for (const Problem& problem : problems) {
        std::fprintf(stderr, "%s\n", to_string(problem).c_str());
    }
    return problems.empty();
}

} // namespace sctr::declared
