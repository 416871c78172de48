// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sandbox.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/strings.hpp"
#include "linux/syscalls.hpp"

namespace sctr::test {

namespace {

constexpr unsigned deadline_seconds = 60;

[[noreturn]] void give_up(const char* what) {
    std::cerr << "sandbox: " << what << ": " << std::strerror(errno) << std::endl;
    ::_exit(2);
}

void need(bool ok, const char* what) {
    if (!ok) {
        give_up(what);
    }
}

void write_text(const std::string& path, const std::string& text) {
    std::ofstream stream(path);
    stream << text << std::flush;
    need(stream.good(), path.c_str());
}

void enter_user_namespace() {
    const std::string uid = std::to_string(::geteuid());
    const std::string gid = std::to_string(::getegid());
    need(::unshare(CLONE_NEWUSER) == 0, "unshare user");
    write_text("/proc/self/uid_map", "0 " + uid + " 1\n");
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/gid_map", "0 " + gid + " 1\n");
}

/// A private tree whose root is a mount, which pivot_root wants, even where we run in a chroot.
void enter_private_tree() {
    need(::unshare(CLONE_NEWNS) == 0, "unshare mount");
    need(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 || errno == EINVAL,
         "make the tree private");
    const UniqueFd tree(
        ::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | unsigned{AT_RECURSIVE}));
    need(tree.valid(), "clone the tree");
    struct mount_attr attributes{};
    attributes.propagation = MS_PRIVATE;
    need(::mount_setattr(
             tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0,
         "make the clone private");
    need(::move_mount(tree.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0,
         "attach the tree");
    need(::fchdir(tree.get()) == 0 && ::chroot(".") == 0, "enter the tree");
    need(::mount("scratch", scratch.c_str(), "tmpfs", 0, "mode=755") == 0, "mount tmpfs");
    need(::chdir(scratch.c_str()) == 0, "chdir");
}

/// What the sanitizer does at the end of main(), to which a child never comes.
bool leaks() {
#if __has_feature(address_sanitizer)
    return __lsan_do_recoverable_leak_check() != 0;
#else
    return false;
#endif
}

[[noreturn]] void run_child(const Body& body, Ids ids, int control) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(deadline_seconds);
    ::umask(0);
    need(::dup2(control, plan::protocol::control_fd) == plan::protocol::control_fd, "dup2");
    // What a careless caller of the tests ignores or left open is not the body's.
    for (int signal = 1; signal < NSIG; ++signal) {
        ::signal(signal, SIG_DFL);
    }
    need(::close_range(plan::protocol::control_fd + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0,
         "close_range");
    if (ids == Ids::mapped_root) {
        enter_user_namespace();
    }
    enter_private_tree();
    try {
        body();
    } catch (const std::exception& error) {
        ADD_FAILURE() << "exception: " << error.what();
    }
    if (leaks()) {
        ADD_FAILURE() << "memory has leaked, see above";
    }
    std::cout << std::flush;
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
}

std::optional<plan::protocol::Message> read_failure(int control) {
    for (;;) {
        std::array<char, plan::protocol::max_message_size> buffer{};
        const ssize_t size = ::recv(control, buffer.data(), buffer.size(), 0);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        plan::protocol::Message message;
        if (size <= 0) {
            return std::nullopt;
        }
        if (!plan::codec::decode({buffer.data(), static_cast<std::size_t>(size)}, message)) {
            ADD_FAILURE() << "a damaged message";
            return std::nullopt;
        }
        if (message.kind == plan::protocol::Kind::failed) {
            return message;
        }
    }
}

bool skip_without_root() {
    if (::geteuid() == 0) {
        return false;
    }
    [] { GTEST_SKIP() << "needs root: it makes namespaces and mounts"; }();
    return true;
}

} // namespace

Outcome run_in_sandbox(const Body& body, Ids ids) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        give_up("socketpair");
    }
    UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    std::fflush(nullptr); // else the child writes it once more
    const pid_t child = ::fork();
    if (child == 0) {
        ours.reset();
        run_child(body, ids, theirs.get());
    }
    need(child > 0, "fork");
    theirs.reset();
    Outcome outcome;
    outcome.failure = read_failure(ours.get());
    ours.reset(); // a failed one waits for this
    int status = 0;
    need(::waitpid(child, &status, 0) == child, "waitpid");
    outcome.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return outcome;
}

void expect_passes(const Body& body, Ids ids) {
    if (skip_without_root()) {
        return;
    }
    const Outcome outcome = run_in_sandbox(body, ids);
    if (outcome.failure) {
        ADD_FAILURE() << "sctr-init failed: " << outcome.failure->what << ": "
                      << outcome.failure->where << ": " << outcome.failure->why << ": "
                      << std::strerror(outcome.failure->error_number);
    } else {
        EXPECT_EQ(outcome.status, 0) << "see the child's messages above";
    }
}

void expect_fails(const Body& body,
                  const std::vector<std::string>& words,
                  int error_number,
                  Ids ids) {
    if (skip_without_root()) {
        return;
    }
    const Outcome outcome = run_in_sandbox(body, ids);
    ASSERT_TRUE(outcome.failure) << "no failure; status " << outcome.status;
    const auto& message = *outcome.failure;
    const std::string text = message.what + ": " + message.where + ": " + message.why;
    for (const std::string& word : words) {
        EXPECT_THAT(text, testing::HasSubstr(word));
    }
    EXPECT_EQ(message.error_number, error_number) << text;
    EXPECT_EQ(outcome.status, message.exit_code) << text;
}

Entry dir(const std::string& path) {
    return {.path = path};
}

Entry file(const std::string& path, const std::string& text) {
    return {.path = path, .kind = Entry::Kind::file, .text = text};
}

Entry link(const std::string& path, const std::string& target) {
    return {.path = path, .kind = Entry::Kind::link, .text = target};
}

void make_tree(const std::string& root, const std::vector<Entry>& entries) {
    namespace fs = std::filesystem;
    fs::create_directories(root);
    for (const Entry& entry : entries) {
        const fs::path path = fs::path(root) / entry.path;
        fs::create_directories(path.parent_path());
        switch (entry.kind) {
        case Entry::Kind::directory:
            fs::create_directories(path);
            break;
        case Entry::Kind::file:
            write_text(path, entry.text);
            break;
        case Entry::Kind::link:
            fs::create_symlink(entry.text, path);
            break;
        }
    }
}

UniqueFd open_root(const std::string& path) {
    UniqueFd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    need(root.valid(), path.c_str());
    return root;
}

std::string where(const UniqueFd& fd) {
    if (!fd.valid()) {
        return ::strerrorname_np(errno);
    }
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd.get()));
}

std::string read_file(const std::string& path) {
    const std::ifstream stream(path);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

bool MountInfo::has(const std::string& option) const {
    return std::ranges::contains(options, option);
}

std::vector<MountInfo> mount_table() {
    std::vector<MountInfo> table;
    std::ifstream stream("/proc/self/mountinfo");
    for (std::string line; std::getline(stream, line);) {
        const auto fields = split(line, ' ');
        MountInfo info{
            .root = fields.at(3), .target = fields.at(4), .options = split(fields.at(5), ',')};
        std::size_t next = 6;
        std::vector<std::string> tags;
        for (; fields.at(next) != "-"; ++next) {
            const std::string tag = split_once(fields[next], ':').first;
            if (tag != "propagate_from") {
                tags.push_back(tag);
            }
        }
        info.propagation = join(tags, "+");
        info.fstype = fields.at(next + 1);
        info.source = fields.at(next + 2);
        info.super_options = split(fields.at(next + 3), ',');
        table.push_back(std::move(info));
    }
    return table;
}

std::optional<MountInfo> mount_at(const std::string& path) {
    std::optional<MountInfo> found;
    for (MountInfo& info : mount_table()) {
        if (info.target == path) {
            found = std::move(info);
        }
    }
    return found;
}

} // namespace sctr::test
