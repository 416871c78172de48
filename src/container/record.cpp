// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/record.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "host/caller.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"
#include "oci/parse.hpp"
#include "oci/serialize.hpp"
#include "plan/unit.hpp"

namespace sctr::container {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* state_file = "state.json";
constexpr const char* config_file = "config.json";

void write_beside_and_rename(const std::string& path, const std::string& text) {
    const std::string beside = path + ".new";
    const UniqueFd file(
        ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    const bool written = file.valid() && ::write(file.get(), text.data(), text.size()) ==
                                             static_cast<ssize_t>(text.size());
    if (!written || ::rename(beside.c_str(), path.c_str()) < 0) {
        const int error_number = errno;
        ::unlink(beside.c_str());
        throw Error("cannot save the container's state").at(path).because(error_number);
    }
}

std::string to_json(const Record& record) {
    json value = {
        {"id", record.id},
        {"unit", record.unit},
        {"description", record.description},
        {"image", record.image},
        {"pid", record.pid},
        {"startTime", record.start_time},
        {"supervisorPid", record.supervisor_pid},
        {"supervisorStartTime", record.supervisor_start},
        {"bootId", record.boot_id},
        {"cgroup", record.cgroup},
        {"owner", record.owner},
        {"rootfs", record.rootfs},
        {"bundle", record.bundle},
        {"createdUsec", record.created_usec},
        {"started", record.started},
        {"kept", record.kept},
        {"stopSignal", record.stop_signal},
        {"stopTimeoutUsec", record.stop_timeout_usec},
        {"oomKilled", record.oom_killed},
    };
    if (record.exit_status) {
        value["exitStatus"] = *record.exit_status;
    }
    // A path may be any bytes.
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Record from_json(const std::string& text) {
    const json value = json::parse(text);
    Record record;
    value.at("id").get_to(record.id);
    value.at("unit").get_to(record.unit);
    value.at("description").get_to(record.description);
    record.image = value.value("image", "");
    value.at("pid").get_to(record.pid);
    value.at("startTime").get_to(record.start_time);
    value.at("supervisorPid").get_to(record.supervisor_pid);
    value.at("supervisorStartTime").get_to(record.supervisor_start);
    value.at("bootId").get_to(record.boot_id);
    value.at("cgroup").get_to(record.cgroup);
    value.at("owner").get_to(record.owner);
    value.at("rootfs").get_to(record.rootfs);
    value.at("bundle").get_to(record.bundle);
    value.at("createdUsec").get_to(record.created_usec);
    value.at("started").get_to(record.started);
    value.at("kept").get_to(record.kept);
    value.at("stopSignal").get_to(record.stop_signal);
    value.at("stopTimeoutUsec").get_to(record.stop_timeout_usec);
    value.at("oomKilled").get_to(record.oom_killed);
    if (const auto status = value.find("exitStatus"); status != value.end()) {
        record.exit_status = status->get<int>();
    }
    return record;
}

/// The record of a directory, or nothing where creating it was never finished.
std::optional<Record> read_record(const std::string& directory) {
    const auto text = sys::read_small_file(directory + "/" + state_file);
    if (!text) {
        return std::nullopt;
    }
    try {
        return from_json(*text);
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

bool is_living(const Record& record) {
    return is_alive(record.pid, record.start_time) && record.boot_id == sys::boot_id();
}

bool has_supervisor(const Record& record) {
    return is_alive(record.supervisor_pid, record.supervisor_start) &&
           record.boot_id == sys::boot_id();
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

Error no_such_container(const std::string& id) {
    Error error("container does not exist");
    error.at(id).mend("see 'sctr ps -a', or 'sctr-oci list' for an engine's");
    return error;
}

bool is_plain(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9');
}

/// A part of a path and of a unit's name.
bool is_made_of(std::string_view id, std::string_view signs) {
    constexpr std::size_t longest = 128;
    return !id.empty() && id.size() <= longest && std::ranges::all_of(id, [&](char letter) {
        return is_plain(letter) || signs.find(letter) != std::string_view::npos;
    });
}

} // namespace

const char* to_string(Status status) {
    switch (status) {
    case Status::creating:
        return "creating";
    case Status::created:
        return "created";
    case Status::running:
        return "running";
    case Status::paused:
        return "paused";
    case Status::stopped:
        return "stopped";
    }
    return "";
}

void LockedRecord::save(const Record& record) const {
    write_beside_and_rename(directory_ + "/" + state_file, to_json(record));
}

void LockedRecord::save_config(const oci::Spec& spec) const {
    write_beside_and_rename(directory_ + "/" + config_file, oci::serialize(spec));
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

bool LockedRecord::is_current() const {
    return is_same_directory(lock_.get(), directory_);
}

void LockedRecord::remove() const {
    // Somebody may have swept this container and made another one of the same name.
    if (is_current()) {
        std::error_code ignored;
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
            failure.mend("log in properly (not by su or sudo) or let root run `loginctl "
                         "enable-linger`, and see that XDG_RUNTIME_DIR is this user's own");
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
        if (auto record = read_record(entry.path())) {
            records.push_back(std::move(*record));
        }
    }
    std::ranges::sort(records, {}, &Record::created_usec);
    return records;
}

void RecordStore::sweep(const std::function<void(const Record&)>& end_rest) const {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(root_, none)) {
        const std::string path = entry.path();
        if (!is_id(entry.path().filename())) {
            remove_unfinished(entry.path());
            continue;
        }
        UniqueFd directory = open_directory(path);
        // Whoever makes or changes a container holds its lock.
        if (!directory.valid() || ::flock(directory.get(), LOCK_EX | LOCK_NB) < 0) {
            continue;
        }
        const auto record = read_record(path);
        const bool remembered = record && (record->kept || record->exit_status.has_value());
        const bool kept = record && (is_living(*record) || has_supervisor(*record) ||
                                     (remembered && record->boot_id == sys::boot_id()));
        if (!kept) {
            if (!record) {
                const std::string id = entry.path().filename();
                end_rest({.id = id, .unit = plan::scope_name(id)}); // killed before it was written
            } else if (record->boot_id == sys::boot_id()) {
                end_rest(*record);
            }
            LockedRecord(path, std::move(directory)).remove();
        }
    }
}

bool wait_for_supervisor(const Record& record) {
    const UniqueFd supervisor(sys::pidfd_open(record.supervisor_pid));
    if (!supervisor.valid() || !has_supervisor(record)) {
        return false;
    }
    constexpr int patience_ms = 10'000;
    struct pollfd item{supervisor.get(), POLLIN, 0};
    return ::poll(&item, 1, patience_ms) > 0;
}

bool is_alive(pid_t pid, std::uint64_t start_time) {
    return pid > 0 && sys::process_start_time(pid) == start_time;
}

Status current_status(const Record& record) {
    if (!is_living(record)) {
        return Status::stopped;
    }
    const auto events =
        has_own_cgroup(record)
            ? sys::read_small_file("/sys/fs/cgroup" + sys::cgroup_of(record.pid) + "/cgroup.events")
            : std::nullopt;
    if (events && events->find("frozen 1") != std::string::npos) {
        return Status::paused;
    }
    return record.started ? Status::running : Status::created;
}

bool has_own_cgroup(const Record& record) {
    return !record.unit.empty();
}

void require_own_cgroup(const Record& record, const std::string& what) {
    if (!has_own_cgroup(record)) {
        throw Error("cannot " + what + " the container")
            .at(record.id)
            .because("it has no cgroup of its own")
            .mend("create it without --cgroup-manager disabled");
    }
}

void check_id(const std::string& id) {
    if (!is_made_of(id, "_.-") || !is_plain(id.front())) {
        throw Error("invalid container name")
            .at("'" + id + "'")
            .because(
                "a name is a letter or digit, then letters, digits, '_', '.' or '-', 128 at most");
    }
}

bool is_id(const std::string& text) {
    return is_made_of(text, "_.-+") && text.front() != '.' && text.front() != '-';
}

void check_engine_id(const std::string& id) {
    if (!is_id(id)) {
        throw Error("invalid container id")
            .at("'" + id + "'")
            .because(
                "an id is letters, digits, '_', '+', '.' and '-', 128 at most, and begins with "
                "none of the last two");
    }
}

} // namespace sctr::container
