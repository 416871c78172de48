// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"
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

/// buildah's flags without a value of their own, as of buildah 1.39; all others take the next word.
constexpr std::array<std::string_view, 28> switches{"--all-platforms",
                                                    "--compat-volumes",
                                                    "--compress",
                                                    "--disable-compression",
                                                    "--disable-content-trust",
                                                    "--force-rm",
                                                    "--help",
                                                    "--http-proxy",
                                                    "--identity-label",
                                                    "--inherit-annotations",
                                                    "--inherit-labels",
                                                    "--layers",
                                                    "--logsplit",
                                                    "--no-cache",
                                                    "--no-hostname",
                                                    "--no-hosts",
                                                    "--omit-history",
                                                    "--pull",
                                                    "--pull-always",
                                                    "--pull-never",
                                                    "--quiet",
                                                    "--rewrite-timestamp",
                                                    "--rm",
                                                    "--save-stages",
                                                    "--skip-unused-stages",
                                                    "--squash",
                                                    "--stdin",
                                                    "--tls-verify"};

/// Its short ones without a value: a group of them may end with one that takes it.
constexpr std::string_view short_switches = "Dhq";

/// A flag of buildah's as it was given.
struct BuildFlag {
    std::string name; ///< "--tag", "-t"; of a group its last one
    std::optional<std::string> value;
    Words words; ///< as they were typed
};

/// A command line of `buildah build`, whose flags may stand after the context here, as in docker
/// and podman; buildah takes them before it alone.
struct BuildWords {
    std::vector<BuildFlag> flags;
    Words contexts;
};

BuildFlag parse_short(const std::string& word) {
    std::size_t at = 1;
    while (at + 1 < word.size() && short_switches.contains(word[at])) {
        ++at;
    }
    BuildFlag flag{.name = std::string("-") + word[at], .words = {word}};
    if (at + 1 < word.size()) {
        flag.value = word.substr(word[at + 1] == '=' ? at + 2 : at + 1);
    }
    return flag;
}

BuildFlag parse_flag(const std::string& word) {
    if (!word.starts_with("--")) {
        return parse_short(word);
    }
    const auto [name, value] = split_once(word, '=');
    return {.name = name, .value = value, .words = {word}};
}

bool wants_word(const BuildFlag& flag) {
    const bool is_short = flag.name.size() == 2;
    return !flag.value && (is_short ? !short_switches.contains(flag.name[1])
                                    : !std::ranges::contains(switches, flag.name));
}

BuildWords parse_build(const Words& words) {
    BuildWords parsed;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--") {
            parsed.contexts.insert(parsed.contexts.end(),
                                   words.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                   words.end());
            break;
        }
        if (words[i].size() < 2 || words[i].front() != '-') {
            parsed.contexts.push_back(words[i]);
            continue;
        }
        BuildFlag flag = parse_flag(words[i]);
        if (wants_word(flag) && i + 1 < words.size()) {
            flag.value = words[++i];
            flag.words.push_back(*flag.value);
        }
        parsed.flags.push_back(std::move(flag));
    }
    return parsed;
}

/// The values of a flag by its two names.
Words values_of(const BuildWords& words, std::string_view name, std::string_view short_name) {
    Words values;
    for (const BuildFlag& flag : words.flags) {
        if ((flag.name == name || flag.name == short_name) && flag.value) {
            values.push_back(*flag.value);
        }
    }
    return values;
}

/// The file that buildah will read; empty: its standard input.
std::string file_of(const BuildWords& words) {
    if (const Words files = values_of(words, "--file", "-f"); !files.empty()) {
        return files.front() == "-" ? "" : files.front();
    }
    const std::string context = words.contexts.empty() ? "." : words.contexts.front();
    const std::string file = context + "/Containerfile";
    return ::access(file.c_str(), F_OK) == 0 ? file : context + "/Dockerfile";
}

/// Opened before anything is built. `path` as it was typed.
UniqueFd open_id_file(const std::string& path) {
    UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644));
    if (!file.valid()) {
        throw Error("cannot write the image's id").at("--iidfile " + path).because(errno);
    }
    return file;
}

void write_id(const UniqueFd& file, const std::string& id) {
    const std::string text = "sha256:" + id; // without a newline, as docker and podman
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw Error("cannot write the image's id").at("--iidfile").because(errno);
    }
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
void lend_bases(const storage::Store& store, const BuildWords& words) {
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
             "[OPTIONS OF buildah build] [CONTEXT] [MORE OPTIONS]",
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
    const BuildWords asked = parse_build(words);
    std::vector<std::string> names;
    for (const std::string& tag : values_of(asked, "--tag", "-t")) {
        names.push_back(local_name(tag)); // before anything is built
    }
    const Words id_files = values_of(asked, "--iidfile", "--iidfile");
    const UniqueFd wanted_id = id_files.empty() ? UniqueFd() : open_id_file(id_files.back());
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    const storage::WorkDirectory work(store);
    const std::string id_file = work.file("id");
    lend_bases(store, asked);
    std::vector<std::string> command{"buildah", "build", "--iidfile", id_file};
    for (const BuildFlag& flag : asked.flags) {
        if (flag.name != "--iidfile") {
            command.insert(command.end(), flag.words.begin(), flag.words.end());
        }
    }
    command.emplace_back("--");
    command.insert(command.end(), asked.contexts.begin(), asked.contexts.end());
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
    const std::string made_id = made ? made->image.id : digest;
    if (wanted_id.valid()) {
        write_id(wanted_id, made_id);
    }
    std::puts(made_id.c_str());
    return 0;
}

} // namespace sctr::cli
