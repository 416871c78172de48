// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/save.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/output_file.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "storage/files.hpp"
#include "storage/helper.hpp"
#include "storage/work_directory.hpp"

/// sctr save.
namespace sctr::cli {
namespace {

namespace fs = std::filesystem;
using storage::SavedAs;
using storage::SavedImage;
using storage::Store;

struct SaveForm {
    SavedAs tree = SavedAs::oci_layout;
    bool is_archive = true;
};

SaveForm parse_save_form(const std::string& format) {
    if (format == "oci-archive") {
        return {};
    }
    if (format == "docker-archive") {
        return {.tree = SavedAs::docker};
    }
    if (format == "oci-dir") {
        return {.is_archive = false};
    }
    throw bad_value("--format", format, "", "oci-archive, docker-archive or oci-dir");
}

/// What is asked for, each image once with all names by which it is asked for; none of them goes
/// as long as `held` lives.
std::vector<SavedImage> images_to_save(const Store& store,
                                       const std::vector<std::string>& names,
                                       std::vector<storage::ImageUse>& held) {
    std::vector<SavedImage> images;
    for (const std::string& asked : names) {
        held.push_back(require_image(store, asked));
        const auto& [image, found, lock] = held.back();
        const std::string name =
            found.empty() ? "localhost/" + image.id.substr(0, 12) + ":latest" : found;
        const auto known = std::ranges::find(images, image.digest, &SavedImage::digest);
        if (known == images.end()) {
            images.push_back({.digest = image.digest, .names = {name}});
        } else if (!std::ranges::contains(known->names, name)) {
            known->names.push_back(name);
        }
    }
    return images;
}

/// Copies a layout to a directory, which may be there as long as no layout is in it.
void put_layout(const std::string& layout, const std::string& directory) {
    constexpr std::array parts{"oci-layout", "index.json", "blobs"};
    for (const char* part : parts) {
        if (storage::exists(directory + "/" + part)) {
            throw Error("cannot write")
                .at(directory)
                .because(std::string("it has ") + part + " already")
                .mend("name another directory");
        }
    }
    UndoList undo;
    undo.add([&, was_there = storage::exists(directory)] {
        for (const char* part : parts) {
            fs::remove_all(directory + "/" + part);
        }
        if (!was_there) {
            fs::remove(directory);
        }
    });
    std::error_code failure;
    fs::copy(layout, directory, fs::copy_options::recursive, failure);
    if (failure) {
        throw Error("cannot write").at(directory).because(failure.value());
    }
    undo.dismiss();
}

} // namespace

int save_verb(const Words& words) {
    std::optional<std::string> output;
    std::optional<std::string> format;
    bool quiet = false;   // a habit of people and scripts: there is no progress
    bool several = false; // podman's word for what goes without saying
    CLI::App app("Writes images to an archive.", "sctr save");
    describe(app,
             "[OPTIONS] IMAGE...",
             {"sctr save -o debian.tar debian:13",
              "sctr save --format docker-archive web db | docker load"});
    add_text(app, "-o,--output", output, "file, or - (default: standard output)");
    add_text(app,
             "--format",
             format,
             "oci-archive (default), docker-archive (which 'podman load' and 'docker load' take of "
             "several images, too) or oci-dir");
    add_switch(app, "-m,--multi-image-archive", several, "several images go anyway");
    add_switch(app, "-q,--quiet", quiet, "nothing is said anyway");
    const auto names = parse_names(app, words);
    if (names.empty()) {
        throw Error("no image named").mend("see 'sctr save --help'");
    }
    const SaveForm form = parse_save_form(format.value_or("oci-archive"));
    const bool is_standard = !output || *output == "-";
    if (is_standard && (!form.is_archive || ::isatty(STDOUT_FILENO) == 1)) {
        throw Error("where to write the image?").mend("give -o, or a pipe for an archive");
    }
    const Store store = Store::own();
    std::vector<storage::ImageUse> held;
    const auto images = images_to_save(store, names, held);
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    const storage::WorkDirectory work(store);
    const std::string tree = work.file("images");
    storage::save(store, images, form.tree, tree);
    if (form.is_archive) {
        write_output({.words = {"pack-tree", tree}}, output);
    } else {
        put_layout(tree, *output);
    }
    return 0;
}

} // namespace sctr::cli
