// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/short_names.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/strings.hpp"
#include "host/caller.hpp"
#include "linux/procfs.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;

/// The strings in a piece of TOML, in their order, without their quotes.
std::vector<std::string> quoted(std::string_view text) {
    std::vector<std::string> found;
    for (std::size_t at = 0; (at = text.find_first_of("\"'", at)) != std::string_view::npos;) {
        const auto end = text.find(text[at], at + 1);
        if (end == std::string_view::npos) {
            break;
        }
        found.emplace_back(text.substr(at + 1, end - at - 1));
        at = end + 1;
    }
    return found;
}

std::string_view trimmed(std::string_view line) {
    const auto first = line.find_first_not_of(" \t\r");
    return first == std::string_view::npos ? std::string_view() : line.substr(first);
}

void read_file(const std::string& path, ShortNames& names) {
    if (const auto text = sys::read_small_file(path)) {
        read_registries_conf(*text, names);
    }
}

void read_directory(const std::string& path, ShortNames& names) {
    std::vector<std::string> files;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(path, none)) {
        if (entry.path().extension() == ".conf") {
            files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    for (const std::string& file : files) {
        read_file(file, names);
    }
}

} // namespace

void read_registries_conf(std::string_view text, ShortNames& names) {
    bool in_aliases = false;
    bool in_list = false;
    for (const std::string& raw : split(text, '\n')) {
        const std::string_view line = trimmed(raw);
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (in_list) {
            const auto more = quoted(line);
            names.registries.insert(names.registries.end(), more.begin(), more.end());
            in_list = !line.contains(']');
            continue;
        }
        if (line.front() == '[') {
            in_aliases = line.starts_with("[aliases]");
            continue;
        }
        if (line.starts_with("unqualified-search-registries")) {
            names.registries = quoted(line);
            in_list = !line.contains(']');
        } else if (const auto words = quoted(line); in_aliases && words.size() == 2) {
            names.aliases[words[0]] = words[1];
        }
    }
}

std::vector<std::string> expand_short_name(const oci::Reference& reference,
                                           const ShortNames& names) {
    const auto alias = names.aliases.find(reference.path);
    if (alias != names.aliases.end()) {
        oci::Reference full = oci::parse_reference(alias->second);
        full.tag = reference.tag;
        full.digest = reference.digest;
        return {full.full_name()};
    }
    std::vector<std::string> all;
    all.reserve(names.registries.size());
    for (const std::string& registry : names.registries) {
        all.push_back(oci::in_registry(reference, registry).full_name());
    }
    if (all.empty()) {
        all.push_back(oci::in_registry(reference, "docker.io").full_name());
    }
    return all;
}

std::vector<std::string> names_in_registries(const oci::Reference& reference) {
    ShortNames names;
    const char* home = std::getenv("HOME");
    const std::string own = std::string(home != nullptr ? home : "") + "/.config/containers/";
    read_file("/usr/share/containers/registries.conf", names);
    read_file("/etc/containers/registries.conf", names);
    read_directory("/etc/containers/registries.conf.d", names);
    if (!host::caller().is_system) {
        read_file(own + "registries.conf", names);
        read_directory(own + "registries.conf.d", names);
    }
    return expand_short_name(reference, names);
}

} // namespace sctr::storage
