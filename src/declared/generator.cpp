// SPDX-License-Identifier: LGPL-2.1-or-later
// sctr-generator: makes units of the files NAME.container, for systemd and for each user's systemd.
// systemd waits for its generators at every boot and reload: no bus, no libraries, no processes.
// Source: systemd.generator(7).
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/unique_fd.hpp"
#include "declared/preview.hpp"
#include "declared/search.hpp"
#include "declared/service.hpp"

namespace sctr::declared {
namespace {

constexpr const char* program = SCTR_PROGRAM;

bool send_to_journal(const std::string& text) {
    const std::string entry =
        "PRIORITY=3\nSYSLOG_IDENTIFIER=sctr-generator\nMESSAGE=" + text + "\n";
    struct sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "/run/systemd/journal/socket"); // NOLINT: it fits
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return socket.valid() && ::sendto(socket.get(),
                                      entry.data(),
                                      entry.size(),
                                      MSG_DONTWAIT | MSG_NOSIGNAL,
                                      reinterpret_cast<const struct sockaddr*>(&address),
                                      sizeof address) >= 0;
}

/// Early at boot there is the kernel's log alone.
bool send_to_kernel(const std::string& text) {
    const std::string entry = "<3>sctr-generator: " + text + "\n";
    const UniqueFd log(::open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY));
    return log.valid() &&
           ::write(log.get(), entry.data(), entry.size()) == static_cast<ssize_t>(entry.size());
}

void report(const std::string& text) {
    if (::isatty(STDERR_FILENO) == 0 && (send_to_journal(text) || send_to_kernel(text))) {
        return;
    }
    std::fprintf(stderr, "sctr-generator: %s\n", text.c_str());
}

bool write_unit(const std::string& path, const std::string& text) {
    const UniqueFd file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    return file.valid() &&
           ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool make_link(const std::string& directory, const Link& link) {
    const std::string path = directory + "/" + link.path;
    std::error_code ignored; // the link cannot be made, then
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    return ::symlink(link.target.c_str(), path.c_str()) == 0 || errno == EEXIST;
}

bool install(const Service& service, const std::string& directory) {
    const std::string path = directory + "/" + service.unit;
    if (!write_unit(path, service.text)) {
        report(path + ": " + std::strerror(errno)); // NOLINT: one thread
        return false;
    }
    bool is_done = true;
    for (const Link& link : service.links) {
        if (!make_link(directory, link)) {
            report(directory + "/" + link.path + ": " + std::strerror(errno)); // NOLINT: one thread
            is_done = false;
        }
    }
    return is_done;
}

/// The units of all files that are right; the rest is told, and the others go on.
bool generate(bool of_user, const std::string& directory) {
    std::vector<Problem> problems;
    bool is_done = true;
    const auto all = find_sources(directories(of_user), problems);
    const Names names = names_of(all);
    for (const auto& sources : all) {
        const Service service = make_service(sources, program, names);
        problems.insert(problems.end(), service.problems.begin(), service.problems.end());
        if (service.problems.empty() && !install(service, directory)) {
            is_done = false;
        }
    }
    for (const Problem& problem : problems) {
        report(to_string(problem));
    }
    return is_done && problems.empty();
}

int main_of(std::span<char*> arguments) {
    const char* scope = std::getenv("SYSTEMD_SCOPE");
    bool of_user = scope != nullptr && std::string_view(scope) == "user";
    bool dry_run = false;
    std::string directory;
    for (const char* argument : arguments) {
        const std::string_view word(argument);
        if (word == "--dryrun" || word == "-dryrun" || word == "--dry-run") {
            dry_run = true;
        } else if (word == "--user" || word == "-user") {
            of_user = true;
        } else if (directory.empty() && !word.starts_with('-')) {
            directory = word; // the first of systemd's three
        } else if (word.starts_with('-')) {
            std::fprintf(stderr, "sctr-generator: unknown flag '%s'\n", argument);
            return 2;
        }
    }
    if (dry_run) {
        return preview(directories(of_user), {}, program) ? 0 : 1;
    }
    if (directory.empty()) {
        std::fputs("Usage: sctr-generator [--user] DIRECTORY | --dryrun\n"
                   "systemd runs it; 'sctr generate' shows what it makes of your files.\n",
                   stderr);
        return 2;
    }
    return generate(of_user, directory) ? 0 : 1;
}

} // namespace
} // namespace sctr::declared

int main(int argc, char** argv) {
    const std::span<char*> all(argv, static_cast<std::size_t>(argc));
    return sctr::declared::main_of(all.subspan(argc > 0 ? 1 : 0));
}
