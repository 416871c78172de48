// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/definition.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "container/id.hpp"
#include "host/caller.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using sys::Durability;

constexpr int version = 1;
constexpr const char* definition_file = "definition.json";
constexpr const char* last_run_file = "last.json";
constexpr const char* cannot_store = "cannot store the container";
/// No container's name begins with a dot. One of each suffices: the root is locked.
constexpr const char* unfinished = "/.new";
constexpr const char* discarded = "/.old";

Error not_stored(const std::string& name) {
    Error error("container does not exist");
    error.at(name).mend("see 'sctr ps -a'; 'sctr create' makes one that can be started");
    return error;
}

UniqueFd open_locked(const std::string& path) {
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    while (directory.valid() && ::flock(directory.get(), LOCK_EX) < 0 && errno == EINTR) {
    }
    return directory;
}

void write_run(const std::string& directory, const LastRun& run) {
    sys::replace_file(directory + "/" + last_run_file,
                      to_json(run),
                      0600,
                      run.finished_usec != 0 ? Durability::disk : Durability::memory,
                      "cannot write down how the container ran");
}

/// Bytes that are no UTF-8 cannot be said in JSON, and must not change on the way.
std::string dump(const json& value) {
    try {
        return value.dump(2) + '\n';
    } catch (const json::exception&) {
        throw Error(cannot_store)
            .because("a flag, an argument or a variable is not UTF-8")
            .mend("run it in the foreground, or put those bytes into a file of the container");
    }
}

} // namespace

std::string to_json(const Definition& definition) {
    return dump({{"version", version},
                 {"name", definition.name},
                 {"flags", definition.flags},
                 {"command", definition.command},
                 {"workingDirectory", definition.working_directory},
                 {"environment", definition.environment},
                 {"envFiles", definition.env_files},
                 {"description", definition.description},
                 {"rootfs", definition.rootfs},
                 {"image", definition.image},
                 {"imageDigest", definition.image_digest},
                 {"volumeOwner", definition.volume_owner},
                 {"volumes", definition.volumes},
                 {"labels", definition.labels},
                 {"createdUsec", definition.created_usec},
                 {"forget", definition.forget}});
}

Definition definition_from_json(const std::string& text) {
    try {
        const json value = json::parse(text);
        if (const int found = value.at("version").get<int>(); found > version) {
            throw Error("cannot read the container's definition")
                .because("it was written by a newer sctr (version " + std::to_string(found) + ")");
        }
        Definition definition;
        value.at("name").get_to(definition.name);
        value.at("flags").get_to(definition.flags);
        value.at("command").get_to(definition.command);
        value.at("workingDirectory").get_to(definition.working_directory);
        value.at("environment").get_to(definition.environment);
        value.at("envFiles").get_to(definition.env_files);
        value.at("description").get_to(definition.description);
        value.at("rootfs").get_to(definition.rootfs);
        definition.image = value.value("image", "");
        definition.image_digest = value.value("imageDigest", "");
        definition.volume_owner = value.value("volumeOwner", "");
        definition.volumes = value.value("volumes", std::vector<std::string>());
        definition.labels = value.value("labels", definition.labels);
        value.at("createdUsec").get_to(definition.created_usec);
        value.at("forget").get_to(definition.forget);
        return definition;
    } catch (const json::exception& error) {
        throw Error("cannot read the container's definition").because(error.what());
    }
}

std::string to_json(const LastRun& run) {
    json value = {{"bootId", run.boot_id},
                  {"startedUsec", run.started_usec},
                  {"finishedUsec", run.finished_usec},
                  {"oomKilled", run.oom_killed},
                  {"error", run.error}};
    if (run.exit_status) {
        value["exitStatus"] = *run.exit_status;
    }
    return value.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

LastRun last_run_from_json(const std::string& text) {
    LastRun run;
    try {
        const json value = json::parse(text);
        value.at("bootId").get_to(run.boot_id);
        value.at("startedUsec").get_to(run.started_usec);
        value.at("finishedUsec").get_to(run.finished_usec);
        value.at("oomKilled").get_to(run.oom_killed);
        value.at("error").get_to(run.error);
        if (const auto status = value.find("exitStatus"); status != value.end()) {
            run.exit_status = status->get<int>();
        }
        return run;
    } catch (const json::exception&) {
        return {};
    }
}

std::string DefinitionStore::default_root() {
    return host::data_directory(host::caller()) + "/containers";
}

std::string DefinitionStore::path(const std::string& name) const {
    check_id(name); // it becomes a path
    return root_ + "/" + name;
}

UniqueFd DefinitionStore::lock_root() const {
    sys::make_own_directory(fs::path(root_).parent_path(), 0755, cannot_store);
    // What a container is started with may hold secrets.
    sys::make_own_directory(root_, 0700, cannot_store);
    ::chmod(root_.c_str(), 0700);
    UniqueFd locked = open_locked(root_);
    if (!locked.valid()) {
        throw Error(cannot_store).at(root_).because(errno);
    }
    return locked;
}

bool DefinitionStore::has(const std::string& name) const {
    return ::access((path(name) + "/" + definition_file).c_str(), F_OK) == 0;
}

Definition DefinitionStore::load(const std::string& name) const {
    const std::string file = path(name) + "/" + definition_file;
    const auto text = sys::read_small_file(file);
    if (!text) {
        throw not_stored(name);
    }
    try {
        return definition_from_json(*text);
    } catch (Error& error) {
        throw error.at(file);
    }
}

std::vector<Definition> DefinitionStore::list() const {
    std::vector<Definition> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(root_, none)) {
        const std::string name = entry.path().filename();
        if (!is_id(name)) {
            continue;
        }
        try {
            found.push_back(load(name));
        } catch (const Error&) {
            found.push_back({.name = name, .description = "(unreadable definition)"});
        }
    }
    std::ranges::sort(found, {}, &Definition::created_usec);
    return found;
}

bool DefinitionStore::remove_rest(const std::string& name) const {
    return remove_rest_ && remove_rest_(name);
}

bool DefinitionStore::recover_locked() const {
    bool removed = false;
    for (const char* leftover : {unfinished, discarded}) {
        const std::string directory = root_ + leftover;
        const auto text = sys::read_small_file(directory + "/" + definition_file);
        try {
            // Without its definition it had nothing elsewhere yet, or nothing any more.
            const std::string name = text ? definition_from_json(*text).name : "";
            removed = (!name.empty() && !has(name) && remove_rest(name)) || removed;
        } catch (const Error&) {
            // Half written, and so with nothing elsewhere.
        }
        std::error_code ignored;
        fs::remove_all(directory, ignored);
    }
    return removed;
}

bool DefinitionStore::recover() const {
    const auto is_there = [this](const char* leftover) {
        return ::access((root_ + leftover).c_str(), F_OK) == 0;
    };
    if (!is_there(unfinished) && !is_there(discarded)) {
        return false;
    }
    const UniqueFd locked = lock_root(); // whoever is at it has ended by then
    return recover_locked();
}

void DefinitionStore::add(const Definition& definition,
                          const std::function<void()>& make_rest) const {
    const std::string& name = definition.name;
    const std::string text = to_json(definition);
    const std::string place = path(name);
    const UniqueFd locked = lock_root();
    recover_locked();
    if (has(name)) {
        throw Error("the name is in use")
            .at(name)
            .because("a stored container has it")
            .mend("choose another --name, or remove it with 'sctr rm " + name + "'");
    }
    const std::string made = root_ + unfinished;
    UndoList undo;
    undo.add([&] { recover_locked(); });
    if (::mkdir(made.c_str(), 0700) < 0) {
        throw Error(cannot_store).at(made).because(errno);
    }
    sys::replace_file(made + "/" + definition_file, text, 0600, Durability::disk, cannot_store);
    sys::sync_directory(root_);
    if (make_rest) {
        make_rest();
    }
    if (::rename(made.c_str(), place.c_str()) < 0) {
        throw Error(cannot_store).at(place).because(errno);
    }
    undo.dismiss();
    sys::sync_directory(root_);
}

void DefinitionStore::replace(const Definition& definition) const {
    sys::replace_file(path(definition.name) + "/" + definition_file,
                      to_json(definition),
                      0600,
                      Durability::disk,
                      cannot_store);
}

void DefinitionStore::copy(const std::string& name,
                           const Definition& definition,
                           const std::function<void()>& make_rest) const {
    const auto run = last_run(name);
    add(definition, [&] {
        if (run) {
            write_run(root_ + unfinished, *run);
        }
        make_rest();
    });
}

bool DefinitionStore::remove(const std::string& name) const {
    const UniqueFd locked = lock_root();
    recover_locked();
    if (::rename(path(name).c_str(), (root_ + discarded).c_str()) < 0 && errno != ENOENT) {
        throw Error("cannot remove the stored container").at(path(name)).because(errno);
    }
    sys::sync_directory(root_);
    return recover_locked();
}

std::optional<LastRun> DefinitionStore::last_run(const std::string& name) const {
    const auto text = sys::read_small_file(path(name) + "/" + last_run_file);
    return text ? std::optional(last_run_from_json(*text)) : std::nullopt;
}

void DefinitionStore::save(const std::string& name, const LastRun& run) const {
    try {
        write_run(path(name), run);
    } catch (const Error&) {
        // What is known of an earlier run is not of this one.
        const std::string file = path(name) + "/" + last_run_file;
        static_cast<void>(
            UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)));
        throw;
    }
}

UniqueFd DefinitionStore::lock(const std::string& name) const {
    UniqueFd locked = open_locked(path(name));
    if (!locked.valid() || !has(name)) {
        throw not_stored(name);
    }
    return locked;
}

} // namespace sctr::container
