// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "cli/archive_errors.hpp"
#include "cli/flags.hpp"
#include "cli/names.hpp"
#include "cli/output_file.hpp"
#include "cli/output_format.hpp"
#include "cli/record_json.hpp"
#include "cli/store_filter.hpp"
#include "cli/table.hpp"
#include "cli/template_views.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "container/definition.hpp"
#include "linux/clock.hpp"
#include "linux/process.hpp"
#include "storage/helper.hpp"
#include "storage/volumes.hpp"

/// sctr volume create, ls, inspect, exists, rm, prune, export, import.
namespace sctr::cli {
namespace {

using container::Definition;
using container::DefinitionStore;
using storage::Store;
using storage::Volume;

struct VolumeFlags {
    std::vector<std::string> labels;
    std::vector<std::string> filters;
    std::optional<std::string> output;
    std::vector<std::string> short_options; ///< -o: of export a file, of create an option
    std::vector<std::string> options;
    std::optional<std::string> driver;
    std::optional<std::string> format;
    bool json = false;
    bool quiet = false;
    bool all = false;
    bool ignore = false;
    /// Of prune a habit of people and scripts, as sctr asks nothing; of rm as in docker. What a
    /// container uses is never removed.
    bool force = false;
};

using Names = std::vector<std::string>;

std::string random_name() {
    std::array<char, 32> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw Error("cannot choose a name").because(errno);
    }
    return Sha256::of({bytes.data(), bytes.size()});
}

/// Names of the stored containers that mount a volume.
Names users_of(const std::vector<Definition>& definitions, const std::string& volume) {
    Names users;
    for (const Definition& definition : definitions) {
        if (std::ranges::contains(definition.volumes, volume)) {
            users.push_back(definition.name);
        }
    }
    return users;
}

std::vector<Definition> stored_containers() {
    return DefinitionStore(DefinitionStore::default_root()).list();
}

/// docker's and podman's words for other kinds of volumes than directories of the store.
void refuse_drivers(const VolumeFlags& flags) {
    if (flags.driver && *flags.driver != "local") {
        throw bad_value("--driver", *flags.driver, "a volume is a directory of the store", "local");
    }
    Names options = flags.options;
    options.insert(options.end(), flags.short_options.begin(), flags.short_options.end());
    if (!options.empty()) {
        throw Error("a volume is a directory of the store, and has no options")
            .at("--opt " + options.front())
            .mend("mount it on the host, and give it to the container: --mount type=bind; "
                  "memory is --tmpfs");
    }
}

int create(const Store& store, const VolumeFlags& flags, const Names& names) {
    if (names.size() > 1) {
        throw Error("one volume is made at a time").mend("see 'sctr volume --help'");
    }
    refuse_drivers(flags);
    Volume volume{.name = names.empty() ? random_name() : names.front(),
                  .created_usec = sys::now_usec()};
    for (const std::string& label : flags.labels) {
        const auto [key, value] = split_once(label, '=');
        if (key.empty()) {
            throw bad_value("--label", label, "", "KEY=VALUE");
        }
        volume.labels[key] = value.value_or("");
    }
    if (!flags.ignore || !storage::has_volume(store, volume.name)) {
        storage::create_volume(store, volume);
    }
    std::puts(volume.name.c_str());
    return 0;
}

int list(const Store& store, const VolumeFlags& flags) {
    const OutputFormat format(flags.format, flags.json, flags.quiet);
    const auto filter = volume_filter(flags.filters);
    const auto definitions = stored_containers();
    auto all = nlohmann::ordered_json::array();
    Table table({"NAME", "CREATED", "KIND", "CONTAINERS"});
    std::string ids;
    for (const Volume& volume : storage::list_volumes(store)) {
        const Names users = users_of(definitions, volume.name);
        if (!filter.takes({.volume = volume, .is_mounted = !users.empty()})) {
            continue;
        }
        const bool anonymous = !volume.owner.empty();
        all.push_back({{"name", volume.name},
                       {"created", timestamp(volume.created_usec)},
                       {"anonymous", anonymous},
                       {"labels", volume.labels},
                       {"path", storage::volume_data(store, volume.name)},
                       {"containers", users}});
        constexpr std::size_t day = 10; // of RFC 3339
        table.add({volume.name,
                   timestamp(volume.created_usec).substr(0, day),
                   anonymous ? "anonymous" : "named",
                   users.empty() ? "-" : join(users, ",")});
        ids += volume.name + '\n';
    }
    show_list(all, format, volume_view, flags.quiet ? ids : table.text());
    return 0;
}

int inspect(const Store& store, const VolumeFlags& flags, const Names& names) {
    if (names.empty()) {
        throw Error("no volume named").mend("see 'sctr volume ls'");
    }
    const OutputFormat format(flags.format, false);
    const auto definitions = stored_containers();
    auto all = nlohmann::ordered_json::array();
    for (const std::string& name : names) {
        const Volume volume = storage::load_volume(store, name);
        all.push_back({{"name", volume.name},
                       {"created", timestamp(volume.created_usec)},
                       {"anonymous", !volume.owner.empty()},
                       {"labels", volume.labels},
                       {"path", storage::volume_data(store, name)},
                       {"containers", users_of(definitions, name)}});
    }
    show_inspected(all, format, volume_view);
    return 0;
}

void remove_one(const Store& store,
                const std::vector<Definition>& definitions,
                const std::string& name) {
    if (const Names users = users_of(definitions, name); !users.empty()) {
        throw Error("cannot remove the volume")
            .at(name)
            .because("the stored container '" + users.front() + "' mounts it")
            .mend("remove that first: sctr rm " + users.front());
    }
    storage::remove_volume(store, name);
}

int remove(const Store& store, const VolumeFlags& flags, const Names& names, const CLI::App& app) {
    const auto definitions = stored_containers();
    const auto remove = [&](const std::string& name) { remove_one(store, definitions, name); };
    const auto is_there = [&](const std::string& name) { return storage::has_volume(store, name); };
    return flags.force ? for_each_present(names, app, is_there, remove)
                       : for_each_word(names, app, remove);
}

/// What nobody has given a name, as in docker; with --all whatever no container mounts.
int prune(const Store& store, const VolumeFlags& flags) {
    const auto filter = volume_filter(flags.filters);
    const auto definitions = stored_containers();
    for (const Volume& volume : storage::list_volumes(store)) {
        const bool is_meant = filter.takes(
            {.volume = volume, .is_mounted = !users_of(definitions, volume.name).empty()});
        if ((!flags.all && volume.owner.empty()) || !is_meant) {
            continue;
        }
        try {
            remove_one(store, definitions, volume.name);
        } catch (const Error&) {
            continue; // a container uses it
        }
        std::puts(volume.name.c_str());
    }
    return 0;
}

const std::string& only(const Names& names, const char* what) {
    if (names.empty()) {
        throw Error("no volume named").mend("see 'sctr volume ls'");
    }
    if (names.size() > 1) {
        throw Error(what).at(names[1]).mend("see 'sctr volume --help'");
    }
    return names.front();
}

int export_volume(const Store& store, const VolumeFlags& flags, const Names& names) {
    const std::string& name = only(names, "one volume is exported at a time");
    const UniqueFd held = storage::hold_volume(store, name);
    write_output({.words = {"pack-tree", storage::volume_data(store, name)}}, flags.output);
    return 0;
}

int import_volume(const Store& store, const Names& names) {
    if (names.size() > 2) {
        throw Error("a volume and an archive are needed").mend("see 'sctr volume --help'");
    }
    const Names first(names.begin(), names.begin() + (names.empty() ? 0 : 1));
    const std::string& name = only(first, "");
    const std::string path = names.size() == 2 ? names.back() : "-";
    const UniqueFd held = storage::hold_volume(store, name);
    if (path == "-" && ::isatty(STDIN_FILENO) == 1) {
        throw Error("there is no archive on standard input").mend("name one");
    }
    const UniqueFd file = sys::raise_fd(
        UniqueFd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10)
                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)));
    if (!file.valid()) {
        throw Error("cannot read the archive").at(path).because(errno);
    }
    const std::string data = storage::volume_data(store, name);
    try {
        (void)storage::LayerProgram({.words = {"unpack-tree", data}, .input = file.get()}).finish();
    } catch (const Error& error) {
        throw about_archive(
            "cannot unpack the archive", path == "-" ? "standard input" : path, error, data);
    }
    return 0;
}

} // namespace

int volume_verb(const Words& words) {
    VolumeFlags flags;
    CLI::App app("Makes, shows, fills and removes volumes.", "sctr volume");
    describe(app,
             "create|ls|inspect|exists|rm|prune|export|import [OPTIONS] [VOLUME...]",
             {"sctr volume create data",
              "sctr run -v data:/var/lib/postgresql docker.io/library/postgres",
              "sctr volume export data | ssh other sctr volume import data"});
    add_texts(app, "-l,--label", flags.labels, "of create: KEY=VALUE");
    add_text(app, "-d,--driver", flags.driver, "of create: local, which all are");
    add_texts(app, "--opt", flags.options, "of create: none is known");
    add_switch(app, "--ignore", flags.ignore, "of create: one of that name will do");
    add_text(app, "--output", flags.output, "of export: file, or - (default: standard output)");
    add_texts(app, "-o", flags.short_options, "of export: --output");
    add_texts(app,
              "--filter",
              flags.filters,
              "of ls and prune: KEY=VALUE with name=PART, label=NAME[=VALUE], label!=NAME[=VALUE], "
              "dangling=true|false (mounted by no stored container), driver=local");
    add_switch(app, "--json", flags.json, "of ls: as a JSON array");
    add_format(app, "--format", flags.format);
    add_switch(app, "-q,--quiet", flags.quiet, "of ls: names alone");
    add_switch(app, "-a,--all", flags.all, "of prune: named ones that no container mounts, too");
    add_switch(app,
               "-f,--force",
               flags.force,
               "of rm: what is not there is no error; of prune: nothing is asked anyway");
    Names names = parse_names(app, words);
    const std::string what = names.empty() ? "" : names.front();
    if (!names.empty()) {
        names.erase(names.begin());
    }
    const bool removes = what == "rm" || what == "remove";
    require_prune_to_force(flags.force && !removes, what);
    const Store store = Store::own();
    if (what == "create") {
        return create(store, flags, names);
    }
    if (what == "ls" || what == "list") {
        return list(store, flags);
    }
    if (what == "exists") {
        return storage::has_volume(store, only(names, "one volume is asked for")) ? 0 : 1;
    }
    if (what == "inspect") {
        return inspect(store, flags, names);
    }
    if (removes) {
        return remove(store, flags, names, app);
    }
    if (what == "prune") {
        return prune(store, flags);
    }
    if (what == "export") {
        if (!flags.short_options.empty()) {
            flags.output = flags.short_options.back();
        }
        return export_volume(store, flags, names);
    }
    if (what == "import") {
        return import_volume(store, names);
    }
    throw Error("nothing to do with volumes by that name")
        .at(what)
        .mend("see 'sctr volume --help'");
}

} // namespace sctr::cli
