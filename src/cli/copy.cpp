// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/container_view.hpp"
#include "cli/flags.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "linux/process.hpp"

/// sctr cp: one sctr-layer packs what the source is, another unpacks it at the destination.
namespace sctr::cli {
namespace {

/// One side of a copy.
struct Side {
    std::string container; ///< empty: the caller's files
    std::string path;      ///< absolute
    bool is_stream = false;
};

/// A path of the caller's with a colon in it is given as ./PATH, as in docker and podman.
Side parse_side(const std::string& text) {
    if (text == "-") {
        return {.is_stream = true};
    }
    const auto colon = text.find(':');
    if (colon != std::string::npos && colon > 0 && !text.starts_with('.') &&
        !text.substr(0, colon).contains('/')) {
        const std::string path = text.substr(colon + 1);
        return {.container = text.substr(0, colon),
                .path = path.starts_with('/') ? path : "/" + path};
    }
    if (text.empty()) {
        throw Error("an empty path is no place to copy from or to");
    }
    if (text.starts_with('/')) {
        return {.path = text};
    }
    std::error_code failure;
    const std::string directory = std::filesystem::current_path(failure);
    if (failure) {
        throw Error("cannot copy").at(text).because(failure.value());
    }
    return {.path = directory + "/" + text};
}

/// What is after the last slash; nothing for a path that ends in one of the dots, or is the root.
std::string last_name(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) {
        path.pop_back();
    }
    const std::string name = path.substr(path.rfind('/') + 1);
    return name == "." || name == ".." ? "" : name;
}

ContainerView view_of(const Side& side, bool write) {
    return side.container.empty() ? ContainerView() : ContainerView(side.container, write);
}

struct Pipe {
    UniqueFd reader;
    UniqueFd writer;
};

Pipe make_pipe() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        throw Error("cannot make a pipe").because(errno);
    }
    return {.reader = sys::raise_fd(UniqueFd(ends[0])), .writer = sys::raise_fd(UniqueFd(ends[1]))};
}

UniqueFd standard(int fd, const char* what, const char* mend) {
    if (::isatty(fd) == 1) {
        throw Error(what).mend(mend);
    }
    UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 10));
    if (!copy.valid()) {
        throw Error(what).because(errno);
    }
    return copy;
}

struct CopyFlags {
    bool archive = false;
    bool follow = false;
};

storage::LayerWork reading(const Side& from, const CopyFlags& flags) {
    const std::string name = last_name(from.path);
    return {.words = {"copy-from",
                      from.path,
                      name.empty() ? "root" : name,
                      flags.follow ? "follow" : "keep"}};
}

storage::LayerWork writing(const Side& from, const Side& to, const CopyFlags& flags) {
    const std::string name = last_name(from.path);
    return {.words = {"copy-to",
                      to.path,
                      from.is_stream ? ""
                      : name.empty() ? "root"
                                     : name,
                      name.empty() ? "contents" : "whole",
                      flags.archive || from.is_stream ? "owners" : "root"}};
}

/// The error of who began it: the other one sees an archive that ends too early, or a pipe without
/// a reader.
void finish_both(storage::LayerProgram& reader, storage::LayerProgram& writer) {
    std::optional<Error> first;
    std::optional<Error> second;
    try {
        (void)reader.finish();
    } catch (const Error& error) {
        first = error;
    }
    try {
        (void)writer.finish();
    } catch (const Error& error) {
        second = error;
    }
    const bool is_broken_pipe = first && (std::string_view(first->what()).contains("status 141") ||
                                          std::string_view(first->what()).contains("Broken pipe"));
    if (first && !(is_broken_pipe && second)) {
        throw Error(*first);
    }
    if (second) {
        throw Error(*second);
    }
}

void copy(const Side& from, const Side& to, const CopyFlags& flags) {
    const ContainerView source = view_of(from, false);
    const ContainerView target = view_of(to, true);
    storage::LayerWork read = reading(from, flags);
    storage::LayerWork write = writing(from, to, flags);
    source.add_to(read);
    target.add_to(write);
    if (from.is_stream) {
        const UniqueFd input = standard(
            STDIN_FILENO, "there is no archive on standard input", "give a file instead of -");
        write.input = input.get();
        (void)storage::LayerProgram(write).finish();
        return;
    }
    if (to.is_stream) {
        const UniqueFd output =
            standard(STDOUT_FILENO, "where to write the archive?", "give a pipe, or a path");
        read.output = output.get();
        (void)storage::LayerProgram(read).finish();
        return;
    }
    Pipe pipe = make_pipe();
    read.output = pipe.writer.get();
    write.input = pipe.reader.get();
    storage::LayerProgram reader(read);
    pipe.writer.reset();
    storage::LayerProgram writer(write);
    pipe.reader.reset();
    finish_both(reader, writer);
}

} // namespace

int cp_verb(const Words& words) {
    CopyFlags flags;
    CLI::App app("Copies files between a container and the host, or between two containers.",
                 "sctr cp");
    describe(app,
             "[OPTIONS] [CONTAINER:]SOURCE [CONTAINER:]DESTINATION",
             {"sctr cp site.conf web:/etc/nginx/conf.d/",
              "sctr cp web:/var/log/. logs",
              "sctr cp web:/etc - | tar -t"});
    add_switch(app, "-a,--archive", flags.archive, "keep owners (else all is root's, or yours)");
    add_switch(app, "-L,--follow-link", flags.follow, "copy what a link of SOURCE leads to");
    const auto names = parse_names(app, words);
    if (names.size() != 2) {
        throw Error("a source and a destination are needed").mend("see 'sctr cp --help'");
    }
    const Side from = parse_side(names.front());
    const Side to = parse_side(names.back());
    if (from.container.empty() && to.container.empty()) {
        throw Error("neither is in a container")
            .at(join(names, " "))
            .mend("name one as CONTAINER:PATH");
    }
    copy(from, to, flags);
    return 0;
}

} // namespace sctr::cli
