// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/short_names.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

// Nothing is linked, nothing is thrown.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "base/error.hpp"
#include "host/caller.hpp"
#include "linux/procfs.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;

/// Throws Error that names the file and the line.
[[noreturn]] void
throw_at(const std::string& path, const toml::source_region& place, const std::string& why) {
    throw Error("cannot read the configuration of registries")
        .at(path + ", line " + std::to_string(place.begin.line))
        .because(why)
        .mend("see containers-registries.conf(5)");
}

std::string text_of(const toml::node& node, const std::string& path, const std::string& key) {
    const auto text = node.value_exact<std::string>();
    if (!text) {
        throw_at(path, node.source(), key + " is no string");
    }
    return *text;
}

std::string own_file(const std::string& home) {
    return home + "/.config/containers/registries.conf";
}

std::vector<std::string> files_of(const RegistriesPlace& place) {
    if (!place.is_directory) {
        return {place.path};
    }
    std::vector<std::string> files;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(place.path, none)) {
        if (entry.path().extension() == ".conf") {
            files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    return files;
}

void read_place(const RegistriesPlace& place, ShortNames& names) {
    for (const std::string& path : files_of(place)) {
        const auto text = sys::read_small_file(path);
        if (!text && place.is_required) {
            throw Error("cannot read the configuration of registries")
                .at(path)
                .because(errno)
                .mend("$CONTAINERS_REGISTRIES_CONF names it");
        }
        if (text && place.has_aliases_only) {
            ShortNames more;
            read_registries_conf(*text, path, more);
            for (const auto& [name, meant] : more.aliases) {
                names.aliases[name] = meant;
            }
        } else if (text) {
            read_registries_conf(*text, path, names);
        }
    }
}

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

/// A service of the system has no $HOME.
std::string home_directory() {
    if (std::string home = variable("HOME"); !home.empty()) {
        return home;
    }
    const struct passwd* account = ::getpwuid(::geteuid());
    return account != nullptr ? account->pw_dir : "";
}

} // namespace

void read_registries_conf(std::string_view text, const std::string& path, ShortNames& names) {
    const toml::parse_result parsed = toml::parse(text, path);
    if (!parsed) {
        throw_at(path, parsed.error().source(), std::string(parsed.error().description()));
    }
    const std::string search = "unqualified-search-registries";
    if (const toml::node* list = parsed.table().get(search)) {
        if (!list->is_array()) {
            throw_at(path, list->source(), search + " is no array");
        }
        names.registries.clear();
        for (const toml::node& each : *list->as_array()) {
            names.registries.push_back(text_of(each, path, "one of " + search));
        }
    }
    if (const toml::node* aliases = parsed.table().get("aliases")) {
        if (!aliases->is_table()) {
            throw_at(path, aliases->source(), "aliases is no table");
        }
        for (const auto& [key, value] : *aliases->as_table()) {
            const std::string name(key.str());
            names.aliases[name] = text_of(value, path, "the alias '" + name + "'");
        }
    }
}

std::vector<std::string> expand_short_name(const oci::Reference& reference,
                                           const ShortNames& names) {
    const auto alias = names.aliases.find(reference.path);
    if (alias != names.aliases.end() && !alias->second.empty()) { // "" takes an earlier one back
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

std::vector<RegistriesPlace> registries_places(const RegistriesPlaces& where, bool has_own_file) {
    std::vector<RegistriesPlace> places;
    const bool own_alone = has_own_file && where.chosen.empty();
    if (!where.chosen.empty()) {
        places.push_back({.path = where.chosen, .is_required = true});
    } else if (own_alone) {
        places.push_back({.path = own_file(where.home)});
    } else {
        places.push_back({.path = "/usr/share/containers/registries.conf"});
        places.push_back({.path = "/etc/containers/registries.conf"});
    }
    if (!own_alone) {
        places.push_back({.path = "/etc/containers/registries.conf.d", .is_directory = true});
    }
    places.push_back({.path = own_file(where.home) + ".d", .is_directory = true});
    const std::string own_cache =
        where.cache_home.empty() ? where.home + "/.cache" : where.cache_home;
    places.push_back(
        {.path = (where.is_root ? "/var/cache" : own_cache) + "/containers/short-name-aliases.conf",
         .has_aliases_only = true});
    return places;
}

std::vector<std::string> names_in_registries(const oci::Reference& reference) {
    const RegistriesPlaces where{.chosen = chosen_registries_conf(),
                                 .home = home_directory(),
                                 .cache_home = variable("XDG_CACHE_HOME"),
                                 .is_root = host::caller().is_system};
    std::error_code none;
    ShortNames names;
    for (const auto& place : registries_places(where, fs::exists(own_file(where.home), none))) {
        read_place(place, names);
    }
    return expand_short_name(reference, names);
}

std::string chosen_registries_conf() {
    return variable("CONTAINERS_REGISTRIES_CONF");
}

} // namespace sctr::storage
