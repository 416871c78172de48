// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/protocol.hpp"

/// Runs the body of a test where it may mount and change what it likes: in a forked child with
/// namespaces of its own, which the kernel clears up when the child ends. The child's control
/// socket is that of sctr-init, so that sctr-init's code runs in it unchanged.
namespace sctr::test {

/// An empty tmpfs of the sandbox's own, writable, with nothing of the host in it.
inline const std::string scratch = "/tmp";

/// How a body ended.
struct Outcome {
    int status = -1; ///< as a shell sees it; 1 when an assertion in the body failed
    std::optional<plan::protocol::Message> failure; ///< what it ended with, by init::fail()
};

enum class Ids {
    host,       ///< real root
    mapped_root ///< id 0 of a user namespace that has no other id
};

using Body = std::function<void()>;

/// Runs `body` in a sandbox. Whoever calls must hold root, or have asked can_sandbox().
Outcome run_in_sandbox(const Body& body, Ids ids = Ids::host);

/// Expects that `body` returns and that no assertion in it failed. Skips the test without root.
void expect_passes(const Body& body, Ids ids = Ids::host);

/// Expects that `body` ends in init::fail() with a message that holds each of `words`.
void expect_fails(const Body& body,
                  const std::vector<std::string>& words,
                  int error_number,
                  Ids ids = Ids::host);

/// What a tree is made of.
struct Entry {
    std::string path; ///< below the tree's root; parents are made
    enum class Kind { directory, file, link } kind = Kind::directory;
    std::string text = {}; ///< a file's content or a link's target
};

Entry dir(const std::string& path);
Entry file(const std::string& path, const std::string& text = "");
Entry link(const std::string& path, const std::string& target);

void make_tree(const std::string& root, const std::vector<Entry>& entries);

/// Opens a directory as sctr-init holds a root: O_PATH.
UniqueFd open_root(const std::string& path);

/// The path that an fd stands for, as /proc tells it; the name of `errno` for an invalid one.
std::string where(const UniqueFd& fd);

std::string read_file(const std::string& path);

/// A line of /proc/self/mountinfo.
struct MountInfo {
    std::string root;   ///< of the mount within its file system
    std::string target; ///< as this process sees it
    std::vector<std::string> options;
    std::string propagation; ///< "shared", "master", "unbindable", both joined by "+", or ""
    std::string fstype;
    std::string source;
    std::vector<std::string> super_options;

    [[nodiscard]] bool has(const std::string& option) const;
};

std::vector<MountInfo> mount_table();

/// The topmost mount at exactly that path; nothing when none is there.
std::optional<MountInfo> mount_at(const std::string& path);

} // namespace sctr::test
