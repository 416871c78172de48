// SPDX-License-Identifier: LGPL-2.1-or-later
#include "declared/preview.hpp"

#include <cstdio>

#include "declared/search.hpp"
#include "declared/service.hpp"

namespace sctr::declared {

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
    for (const auto& sources : found) {
        const Service service = make_service(sources, sctr);
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
