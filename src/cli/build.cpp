// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/verbs.hpp"
#include "linux/find_program.hpp"
#include "linux/process.hpp"
#include "linux/procfs.hpp"
#include "linux/program.hpp"
#include "oci/containerfile.hpp"
#include "storage/skopeo.hpp"
#include "storage/store.hpp"
#include "storage/work_directory.hpp"

/// sctr build: buildah builds, and what it has built is taken over from its storage.
namespace sctr::cli {
namespace {

/// Values of -t and --tag, in the forms that buildah takes.
std::vector<std::string> tags_of(const Words& words) {
    std::vector<std::string> tags;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if ((word == "-t" || word == "--tag") && i + 1 < words.size()) {
            tags.push_back(words[++i]);
        } else if (word.starts_with("--tag=")) {
            tags.push_back(word.substr(6));
        } else if (word.starts_with("-t") && word.size() > 2) {
            tags.push_back(word.substr(2));
        }
    }
    return tags;
}

/// The file that buildah will read; empty: its standard input.
std::string file_of(const Words& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if ((word == "-f" || word == "--file") && i + 1 < words.size()) {
            return words[i + 1] == "-" ? "" : words[i + 1];
        }
        if (word.starts_with("--file=")) {
            return word.substr(7);
        }
    }
    const std::string context = words.empty() || words.back().starts_with('-') ? "." : words.back();
    const std::string file = context + "/Containerfile";
    return ::access(file.c_str(), F_OK) == 0 ? file : context + "/Dockerfile";
}

/// The image of sctr's store that a Containerfile means by a name, if there is one.
std::optional<storage::ImageUse> find_base(const storage::Store& store, const std::string& name) {
    try {
        auto found = store.find(name);
        return found && !found->name.empty() ? std::move(found) : std::nullopt;
    } catch (const Error&) {
        return std::nullopt; // no name of an image: buildah says so
    }
}

/// Gives buildah the images of sctr's store that the file builds on: it looks into its own alone.
void lend_bases(const storage::Store& store, const Words& words) {
    const auto text = sys::read_small_file(file_of(words));
    for (const std::string& base : oci::bases_of(text.value_or(""))) {
        const auto image = find_base(store, base);
        if (image && storage::image_id("containers-storage:" + image->name) != image->image.id) {
            storage::send(
                store, image->image.digest, "containers-storage:" + image->name, {.quiet = true});
        }
    }
}

/// With this process's terminal and output; returns the exit status.
int run_buildah(const std::string& program, const std::vector<std::string>& words) {
    const auto argv = sys::argument_pointers(words);
    sys::Child child = sys::fork_child(0, [&] {
        ::execv(program.c_str(), argv.data());
        ::_exit(1);
    });
    return child.wait();
}

} // namespace

int build_verb(const Words& words) {
    CLI::App app("Builds an image with buildah, whose flags these are.", "sctr build");
    describe(app,
             "[OPTIONS OF buildah build] [CONTEXT]",
             {"sctr build -t web .", "sctr build -t web:2 -f Containerfile.web --pull=never ."});
    if (words.size() == 1 && (words.front() == "--help" || words.front() == "-h")) {
        parse_flags(app, words);
    }
    const std::string program = sys::find_program("buildah");
    if (program.empty()) {
        throw Error("cannot build").because("there is no buildah").mend("install buildah");
    }
    const storage::Store store = storage::Store::own();
    store.prepare();
    std::vector<std::string> names;
    for (const std::string& tag : tags_of(words)) {
        names.push_back(local_name(tag)); // before anything is built
    }
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    const storage::WorkDirectory work(store);
    const std::string id_file = work.file("id");
    lend_bases(store, words);
    std::vector<std::string> command{"buildah", "build", "--iidfile", id_file};
    command.insert(command.end(), words.begin(), words.end());
    const int status = run_buildah(program, command);
    if (status != 0) {
        return status; // it has said why
    }
    std::string id = sys::read_small_file(id_file).value_or("");
    if (id.starts_with("sha256:")) {
        id.erase(0, 7);
    }
    const std::string digest =
        storage::take_image(store, "containers-storage:@" + id, {.quiet = true});
    for (const std::string& name : names) {
        store.set_name(name, digest);
    }
    const auto made = store.find_by_digest(digest);
    std::puts((made ? made->image.id : digest).c_str());
    return 0;
}

} // namespace sctr::cli
