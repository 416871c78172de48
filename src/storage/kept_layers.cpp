// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/kept_layers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <ranges>
#include <string_view>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/process.hpp"
#include "storage/files.hpp"
#include "storage/helper.hpp"
#include "storage/work_directory.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;

constexpr const char* cannot_make = "cannot give the layer the container's ids";
constexpr const char* tree_name = "/diff";

/// Packed with the ids that the layer has, unpacked where the same ids are those of such a
/// container: so each file gets the owner, and each capability, that the image says.
void copy_layer(const std::string& from, const std::string& to, const plan::KeptIds& ids) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        throw Error(cannot_make).because(errno);
    }
    UniqueFd reader = sys::raise_fd(UniqueFd(ends[0]));
    UniqueFd writer = sys::raise_fd(UniqueFd(ends[1]));
    LayerProgram packer({.words = {"pack", from}, .output = writer.get()});
    writer.reset();
    LayerProgram unpacker({.words = {"unpack-layer", to}, .input = reader.get(), .kept = ids});
    reader.reset();
    (void)unpacker.finish();
    (void)packer.finish();
}

void make_kept_layer(const Store& store, const std::string& place, const plan::KeptIds& ids) {
    const std::string layer = place.substr(0, place.rfind('/'));
    const UniqueFd locked = store.lock(Sharing::shared);
    const Store::MakeLock making(store, "layer-" + layer.substr(layer.rfind('/') + 1));
    if (exists(place)) {
        return;
    }
    const WorkDirectory work(store);
    const std::string made = work.file("kept");
    UndoList undo;
    undo.add([&] {
        try {
            remove_trees({made});
        } catch (const Error&) {
            // Swept later; the first error is the caller's.
        }
    });
    make_directory(made, 0700, cannot_make);
    make_directory(made + tree_name, 0755, cannot_make);
    copy_layer(layer + tree_name, made + tree_name, ids);
    const UniqueFd tree(::open(made.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!tree.valid() || ::syncfs(tree.get()) < 0 || ::rename(made.c_str(), place.c_str()) < 0) {
        throw Error(cannot_make).at(place).because(errno);
    }
    undo.dismiss();
    sys::sync_directory(layer);
}

} // namespace

std::string
kept_layer_tree(const Store& store, const std::string& chain_id, const plan::KeptIds& ids) {
    return store.layer(chain_id) + "/kept-" + std::to_string(ids.uid) + "-" +
           std::to_string(ids.gid) + tree_name;
}

std::vector<plan::KeptIds> kept_copies(const Store& store, const std::string& chain_id) {
    std::vector<plan::KeptIds> copies;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(store.layer(chain_id), none)) {
        const auto parts = split(entry.path().filename().native(), '-');
        if (parts.size() == 3 && parts[0] == "kept") {
            const auto uid = parse_uint(parts[1]);
            const auto gid = parse_uint(parts[2]);
            if (uid && gid) {
                copies.push_back({.uid = static_cast<std::uint32_t>(*uid),
                                  .gid = static_cast<std::uint32_t>(*gid)});
            }
        }
    }
    return copies;
}

std::string layer_tree_for(const Store& store,
                           const std::string& chain_id,
                           const std::optional<plan::KeptIds>& ids) {
    return ids ? kept_layer_tree(store, chain_id, *ids) : store.layer_tree(chain_id);
}

void make_kept_layers(const Store& store,
                      const std::vector<std::string>& trees,
                      const plan::KeptIds& ids,
                      const std::function<void()>& before_first) {
    bool is_first = true;
    for (const std::string& tree : std::views::reverse(trees)) {
        const std::string place = tree.substr(0, tree.size() - std::string_view(tree_name).size());
        if (!tree.starts_with(store.root() + "/layers/") || exists(place)) {
            continue; // of --rootfs DIR:O
        }
        if (is_first) {
            before_first();
        }
        is_first = false;
        make_kept_layer(store, place, ids);
    }
}

} // namespace sctr::storage
