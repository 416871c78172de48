// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/record_store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <thread>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "container/id.hpp"
#include "host/caller.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "oci/parse.hpp"
#include "oci/serialize.hpp"
#include "plan/unit.hpp"
#include "systemd/journal_socket.hpp"

namespace sctr::container {

namespace {

namespace fs = std::filesystem;

constexpr const char* state_file = "state.json";
constexpr const char* config_file = "config.json";
constexpr const char* supervised_file = "supervised";

void write(const std::string& path, const std::string& text) {
    sys::replace_file(
        path, text, 0600, sys::Durability::memory, "cannot save the container's state");
}

/// The record of a directory, or nothing where creating it was never finished. Throws
/// Error when only a newer sctr can read it.
std::optional<Record> read_record(const std::string& directory) {
    const auto text = sys::read_small_file(directory + "/" + state_file);
    if (!text) {
        return std::nullopt;
    }
    try {
        return record_from_json(*text);
    } catch (Error& error) {
        throw error.at(directory + "/" + state_file);
    }
}

/// True while the directory that is open as `fd` is the one found at `path`.
bool is_same_directory(int fd, const std::string& path) {
    struct stat open_one{};
    struct stat found{};
    return ::fstat(fd, &open_one) == 0 && ::stat(path.c_str(), &found) == 0 &&
           open_one.st_ino == found.st_ino && open_one.st_dev == found.st_dev;
}

UniqueFd open_directory(const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// Locks without waiting for whoever holds the lock for long: who makes or changes the container.
/// Who sweeps holds it for a moment.
bool try_lock(int directory) {
    using namespace std::chrono;
    constexpr auto patience = milliseconds(300);
    constexpr auto pause = milliseconds(2);
    for (const auto end = steady_clock::now() + patience; steady_clock::now() < end;
         std::this_thread::sleep_for(pause)) {
        if (::flock(directory, LOCK_EX | LOCK_NB) == 0) {
            return true;
        }
    }
    return false;
}

/// Makes `root`/`id` and locks it before anybody else can see it; an invalid fd and errno when that
/// cannot be, EEXIST when there is one.
UniqueFd make_locked(const std::string& root, const std::string& id) {
    const std::string hidden = root + "/." + id + "." + std::to_string(::getpid());
    if (::mkdir(hidden.c_str(), 0700) < 0 && errno != EEXIST) {
        return {};
    }
    UniqueFd directory = open_directory(hidden);
    if (directory.valid() && ::flock(directory.get(), LOCK_EX | LOCK_NB) == 0 &&
        ::renameat2(
            AT_FDCWD, hidden.c_str(), AT_FDCWD, (root + "/" + id).c_str(), RENAME_NOREPLACE) == 0) {
        return directory;
    }
    const int error_number = errno;
    ::rmdir(hidden.c_str());
    errno = error_number;
    return {};
}

/// Throws when a record keeps its name from others.
void refuse_name_in_use(const Record& record, const std::string& id) {
    if (is_living(record)) {
        throw Error("the name is in use")
            .at(id)
            .because("a container of that name is running")
            .mend("choose another --name, or remove it with 'sctr rm -f " + id + "'");
    }
    if (record.kept || record.exit_status) {
        throw Error("the name is in use")
            .at(id)
            .because("a stopped container of that name is kept")
            .mend("remove it with 'sctr rm " + id + "'");
    }
}

/// What make_locked() leaves when it is killed: ".ID.PID".
void remove_unfinished(const fs::path& hidden) {
    const std::string extension = hidden.extension();
    const auto pid = parse_int(extension.empty() ? "" : extension.substr(1));
    if (pid && !sys::process_start_time(static_cast<pid_t>(*pid))) {
        ::rmdir(hidden.c_str());
    }
}

/// Removes a dead holder of a name, once nobody has anything to write down about it. Throws when it
/// keeps its name.
void take_over(LockedRecord directory, const std::string& id) {
    const auto record = read_record(directory.directory());
    if (record) {
        refuse_name_in_use(*record, id);
    }
    directory.unlock(); // its supervisor needs it to write the end down
    if (record && wait_for_supervisor(*record)) {
        return; // it has written the end down, or removed the record
    }
    if (directory.try_lock()) {
        directory.remove();
    }
}

/// True while a supervisor holds what hold() returned, which the kernel takes from it at its end:
/// then nothing of the record has to be read, which tells at each start of all the others.
bool is_supervised(const fs::path& directory) {
    const UniqueFd file(::open((directory / supervised_file).c_str(), O_RDONLY | O_CLOEXEC));
    return file.valid() && ::flock(file.get(), LOCK_SH | LOCK_NB) < 0;
}

void sweep_one(const LockedRecord& directory, const std::function<void(const Record&)>& end_rest) {
    const auto record = read_record(directory.directory());
    const bool of_this_boot = record && record->boot_id == sys::boot_id();
    const bool remembered = record && (record->kept || record->exit_status.has_value());
    if (record && (is_living(*record) || has_supervisor(*record) || (remembered && of_this_boot))) {
        return;
    }
    if (!record) {
        const std::string id = fs::path(directory.directory()).filename();
        end_rest({.id = id, .unit = plan::scope_name(id)}); // killed before it was written
    } else if (of_this_boot) {
        end_rest(*record);
    }
    directory.remove();
}

Error no_such_container(const std::string& id) {
    Error error("container does not exist");
    error.at(id).mend("see 'sctr ps -a', or 'sctr-oci list' for an engine's");
    return error;
}

} // namespace

void LockedRecord::save(const Record& record) const {
    write(directory_ + "/" + state_file, to_json(record));
}

void LockedRecord::save_config(const oci::Spec& spec) const {
    write(directory_ + "/" + config_file, oci::serialize(spec));
}

void LockedRecord::lock() const {
    while (::flock(lock_.get(), LOCK_EX) < 0 && errno == EINTR) {
    }
}

bool LockedRecord::try_lock() const {
    return ::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0;
}

void LockedRecord::unlock() const {
    ::flock(lock_.get(), LOCK_UN);
}

UniqueFd LockedRecord::hold() const {
    UniqueFd file(
        ::open((directory_ + "/" + supervised_file).c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
    while (file.valid() && ::flock(file.get(), LOCK_EX) < 0 && errno == EINTR) {
    }
    return file;
}

bool LockedRecord::is_current() const {
    return is_same_directory(lock_.get(), directory_);
}

void LockedRecord::remove() const {
    // Somebody may have swept this container and made another one of the same name.
    if (is_current()) {
        // As its supervisor does, which may have been killed or have failed before. First: then the
        // name is free for another. Elsewhere are engines' containers, which may be called as one
        // that runs.
        const fs::path place(directory_);
        if (place.parent_path() == RecordStore::default_root()) {
            systemd::restore_log_rate_limit(plan::scope_name(place.filename()));
        }
        std::error_code ignored;
        // Without it nobody takes what is left for a container (has()).
        fs::remove(directory_ + "/" + state_file, ignored);
        fs::remove_all(directory_, ignored);
    }
}

RecordStore::RecordStore(std::string root) : root_(std::move(root)) {}

std::string RecordStore::default_root() {
    const host::Caller& caller = host::caller();
    return (caller.is_system ? "/run" : host::runtime_directory(caller)) + "/sctr";
}

void RecordStore::make_root() const {
    std::error_code error;
    fs::create_directories(root_, error);
    if (error) {
        Error failure("cannot create the state directory");
        failure.at(root_).because(error.value());
        if (!host::caller().is_system) {
            failure.mend("log in properly (not by su or sudo), or let root run `loginctl "
                         "enable-linger " +
                         std::to_string(host::caller().uid) +
                         "`; XDG_RUNTIME_DIR must be this user's own");
        }
        throw failure;
    }
    ::chmod(root_.c_str(), 0711);
}

LockedRecord RecordStore::create(const std::string& id) const {
    check_engine_id(id);
    const std::string path = root_ + "/" + id;
    // Each turn either takes the name or removes one dead holder of it.
    for (;;) {
        if (UniqueFd made = make_locked(root_, id); made.valid()) {
            return {path, std::move(made)};
        }
        if (errno == ENOENT) {
            make_root();
            continue;
        }
        if (errno != EEXIST) {
            throw Error("cannot create the container's state").at(path).because(errno);
        }
        UniqueFd directory = open_directory(path);
        if (!directory.valid() && errno == ENOENT) {
            continue; // removed meanwhile
        }
        if (!directory.valid()) {
            throw Error("cannot create the container's state").at(path).because(errno);
        }
        if (!try_lock(directory.get())) {
            throw Error("the name is in use")
                .at(id)
                .because("a container of that name is being created or changed");
        }
        if (is_same_directory(directory.get(), path)) {
            take_over(LockedRecord(path, std::move(directory)), id);
        }
    }
}

LockedRecord RecordStore::open(const std::string& id) const {
    check_engine_id(id);
    const std::string path = root_ + "/" + id;
    UniqueFd directory = open_directory(path);
    if (!directory.valid()) {
        throw no_such_container(id);
    }
    return {path, std::move(directory)};
}

LockedRecord RecordStore::lock(const std::string& id) const {
    LockedRecord locked = open(id);
    locked.lock();
    if (!locked.is_current()) {
        throw no_such_container(id); // it was removed while we waited
    }
    return locked;
}

bool RecordStore::has(const std::string& id) const {
    return ::access((root_ + "/" + id + "/" + state_file).c_str(), F_OK) == 0;
}

Record RecordStore::load(const std::string& id) const {
    check_engine_id(id);
    auto record = read_record(root_ + "/" + id);
    if (!record) {
        throw no_such_container(id);
    }
    return std::move(*record);
}

oci::Spec RecordStore::load_config(const std::string& id) const {
    check_engine_id(id);
    const auto text = sys::read_small_file(root_ + "/" + id + "/" + config_file);
    if (!text) {
        throw no_such_container(id);
    }
    return oci::parse(*text);
}

std::vector<Record> RecordStore::list() const {
    std::vector<Record> records;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(root_, none)) {
        if (!is_id(entry.path().filename())) {
            continue;
        }
        try {
            if (auto record = read_record(entry.path())) {
                records.push_back(std::move(*record));
            }
        } catch (const Error&) {
            continue; // a newer sctr's: who names it is told
        }
    }
    std::ranges::sort(records, {}, &Record::created_usec);
    return records;
}

void RecordStore::sweep(const std::function<void(const Record&)>& end_rest) const {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(root_, none)) {
        if (!is_id(entry.path().filename())) {
            remove_unfinished(entry.path());
            continue;
        }
        if (is_supervised(entry.path())) {
            continue;
        }
        UniqueFd directory = open_directory(entry.path());
        // Whoever makes or changes a container holds its lock.
        if (!directory.valid() || ::flock(directory.get(), LOCK_EX | LOCK_NB) < 0) {
            continue;
        }
        try {
            sweep_one(LockedRecord(entry.path(), std::move(directory)), end_rest);
        } catch (const Error&) {
            continue; // a newer sctr's, which knows what becomes of it
        }
    }
}

} // namespace sctr::container
