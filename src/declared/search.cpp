// SPDX-License-Identifier: LGPL-2.1-or-later
#include "declared/search.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/strings.hpp"

namespace sctr::declared {

namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::vector<std::string> user_directories() {
    const std::string uid = std::to_string(::getuid());
    const std::string runtime = variable("XDG_RUNTIME_DIR");
    const std::string config = variable("XDG_CONFIG_HOME");
    std::vector<std::string> paths;
    paths.push_back((runtime.empty() ? "/run/user/" + uid : runtime) + "/sctr-containers");
    paths.push_back((config.empty() ? variable("HOME") + "/.config" : config) + "/sctr");
    for (const char* base : {"/etc/sctr/users", "/usr/share/sctr/users"}) {
        paths.push_back(std::string(base) + "/" + uid);
        paths.emplace_back(base);
    }
    return paths;
}

/// Files that end in `ending`, also below directories, by name.
std::vector<std::string> files_in(const std::string& directory, std::string_view ending) {
    std::vector<std::string> found;
    std::error_code error;
    fs::recursive_directory_iterator entry(
        directory, fs::directory_options::skip_permission_denied, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
        const std::string name = entry->path().filename();
        std::error_code ignored;
        if (entry->is_directory(ignored)) {
            // Users' own, and drop-ins, are looked for elsewhere.
            const bool is_users = entry.depth() == 0 && (name == "users" || parse_uint(name));
            if (is_users || name.ends_with(".d")) {
                entry.disable_recursion_pending();
            }
        } else if (name.ends_with(ending) && name.size() > ending.size() && name.front() != '.') {
            found.push_back(entry->path());
        }
    }
    std::ranges::sort(found);
    return found;
}

/// Files of drop-ins by their names; those found first count.
void add_drop_ins(const std::string& directory, std::map<std::string, std::string>& found) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename();
        if (name.ends_with(".conf")) {
            found.emplace(name, entry.path());
        }
    }
}

void read_file(const std::string& path,
               std::vector<Source>& sources,
               std::vector<Problem>& problems) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!file || (file.peek() != EOF && !(text << file.rdbuf()))) {
        problems.push_back({.place = {path, 0}, .text = "cannot be read"});
        return;
    }
    sources.push_back({.path = path, .text = text.str()});
}

/// The directories of drop-ins of a file: of an instance, those of its template too.
std::vector<std::string> drop_in_names(const std::string& name) {
    std::vector<std::string> names = {name + ".d"};
    const auto at = name.find('@');
    if (at != std::string::npos && name.substr(at) != "@.container") {
        names.push_back(name.substr(0, at) + "@.container.d");
    }
    return names;
}

std::vector<Source> read_with_drop_ins(const std::string& path,
                                       const std::vector<std::string>& directories,
                                       std::vector<Problem>& problems) {
    std::vector<Source> sources;
    read_file(path, sources, problems);
    if (sources.empty() || sources.front().text.empty()) {
        return {};
    }
    std::map<std::string, std::string> drop_ins;
    for (const std::string& name : drop_in_names(fs::path(path).filename())) {
        for (const std::string& directory : directories) {
            add_drop_ins(directory + "/" + name, drop_ins);
        }
    }
    for (const auto& [name, file] : drop_ins) {
        read_file(file, sources, problems);
    }
    return sources;
}

} // namespace

std::vector<std::string> directories(bool of_user) {
    if (const std::string instead = variable("SCTR_UNIT_DIRS"); !instead.empty()) {
        return split(instead, ':');
    }
    return of_user
               ? user_directories()
               : std::vector<std::string>{"/run/sctr-containers", "/etc/sctr", "/usr/share/sctr"};
}

std::vector<std::vector<Source>> find_sources(const std::vector<std::string>& directories,
                                              std::vector<Problem>& problems) {
    std::map<std::string, std::string> files; // the first of a name
    for (const std::string& directory : directories) {
        for (const char* suffix : {".container", ".volume", ".image", ".build", ".network"}) {
            for (const std::string& path : files_in(directory, suffix)) {
                files.emplace(fs::path(path).filename(), path);
            }
        }
    }
    std::vector<std::vector<Source>> found;
    for (const auto& [name, path] : files) {
        auto sources = read_with_drop_ins(path, directories, problems);
        if (!sources.empty()) {
            found.push_back(std::move(sources));
        }
    }
    return found;
}

std::vector<Source> read_source(const std::string& path, std::vector<Problem>& problems) {
    std::error_code ignored;
    const fs::path whole = fs::absolute(path, ignored);
    return read_with_drop_ins(whole, {whole.parent_path()}, problems);
}

} // namespace sctr::declared
