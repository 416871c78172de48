// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/id_maps.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "host/caller.hpp"
#include "linux/memfd.hpp"
#include "linux/procfs.hpp"
#include "linux/program.hpp"
#include "plan/own_ids.hpp"

namespace sctr::container {

namespace {

/// One of the two maps, and who writes it for a plain user.
struct MapFile {
    const char* name;
    const char* program;
    const char* ranges; ///< where the ids are that a plain user has besides his own
    const char* add;    ///< to usermod(8)
};

constexpr MapFile uid_file{"uid_map", "newuidmap", "/etc/subuid", "--add-subuids"};
constexpr MapFile gid_file{"gid_map", "newgidmap", "/etc/subgid", "--add-subgids"};

void write_process_file(pid_t pid, const char* file, const std::string& text) {
    const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
    const UniqueFd opened(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!opened.valid() ||
        ::write(opened.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw Error("cannot write the id map of the user namespace")
            .at(file)
            .because(errno)
            .mend("ranges must not overlap, and lie within the caller's own user namespace");
    }
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    return words;
}

/// The one map that takes no privileges. Source: user_namespaces(7).
bool is_own_id_alone(const std::vector<std::string>& words, unsigned own) {
    return words.size() == 3 && words[1] == std::to_string(own) && words[2] == "1";
}

/// As the C library looks it up, but only where programs of the system are: it is setuid.
std::string find_program(const MapFile& file) {
    for (const char* directory : {"/usr/bin/", "/bin/", "/usr/local/bin/", "/run/wrappers/bin/"}) {
        const std::string path = std::string(directory) + file.program;
        if (::access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    throw Error("cannot map the ids of the user namespace")
        .because(std::string("there is no ") + file.program)
        .mend("install uidmap (Debian), shadow-utils or shadow, or map your own id alone");
}

void map_by_program(const MapFile& file, pid_t pid, const std::vector<std::string>& map) {
    const UniqueFd output = sys::memory_file("sctr-newidmap");
    sys::Program program;
    program.path = find_program(file);
    program.args = {file.program, std::to_string(pid)};
    program.args.insert(program.args.end(), map.begin(), map.end());
    program.standard[1] = output.get();
    program.standard[2] = output.get();
    sys::RunningProgram running(program);
    constexpr int patience_seconds = 30;
    (void)running.wait(patience_seconds, -1);
    if (running.end().is_success()) {
        return;
    }
    const std::string said = sys::output_tail(output.get(), 0);
    const std::string uid = std::to_string(host::caller().uid);
    throw Error("cannot map the ids of the user namespace")
        .at(file.name)
        .because(said.empty() ? file.program + (": " + sys::to_string(running.end())) : said)
        .mend(std::string("map only what ") + file.ranges +
              " gives you; where it has nothing, let root run `usermod " + file.add +
              " 100000-165535` on the account with uid " + uid);
}

} // namespace

OwnIds own_ids() {
    if (::geteuid() == 0) {
        return {};
    }
    const struct passwd* account = ::getpwuid(::geteuid());
    const plan::IdOwner owner{.name = account != nullptr ? account->pw_name : "",
                              .uid = ::geteuid()};
    const auto map = [&owner](const char* file, unsigned own) {
        return plan::own_id_map(sys::read_small_file(file).value_or(""), owner, own);
    };
    return {.uids = map(uid_file.ranges, ::geteuid()), .gids = map(gid_file.ranges, ::getegid())};
}

void write_id_maps(pid_t pid, const std::string& uid_map, const std::string& gid_map) {
    if (::geteuid() == 0) {
        write_process_file(pid, uid_file.name, uid_map);
        write_process_file(pid, gid_file.name, gid_map);
        return;
    }
    if (const auto map = words_of(uid_map); is_own_id_alone(map, ::geteuid())) {
        write_process_file(pid, uid_file.name, uid_map);
    } else {
        map_by_program(uid_file, pid, map);
    }
    if (const auto map = words_of(gid_map); is_own_id_alone(map, ::getegid())) {
        write_process_file(pid, "setgroups", "deny"); // else the kernel refuses the map
        write_process_file(pid, gid_file.name, gid_map);
    } else {
        map_by_program(gid_file, pid, map);
    }
}

} // namespace sctr::container
