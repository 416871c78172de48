// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/blobs.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "linux/procfs.hpp"
#include "storage/files.hpp"
#include "storage/work_directory.hpp"

namespace sctr::storage {

namespace {

constexpr const char* cannot_store = "cannot store the image";

} // namespace

std::optional<BlobLink> link_of_blob(const Store& store, const std::string& hex) {
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlink(store.blob(hex).c_str(), target.data(), target.size());
    if (size < 0) {
        return std::nullopt;
    }
    // ../../layers/CHAIN/DIFF.recipe
    const auto parts = split(std::string(target.data(), static_cast<std::size_t>(size)), '/');
    constexpr std::size_t length = 64;
    if (parts.size() != 5 || parts[2] != "layers" || !is_sha256(parts[3]) ||
        !is_sha256(std::string_view(parts[4]).substr(0, length))) {
        return std::nullopt;
    }
    const BlobLink link{.chain_id = parts[3], .diff = parts[4].substr(0, length)};
    return exists(store.recipe(link.chain_id, link.diff)) ? std::optional(link) : std::nullopt;
}

std::optional<BlobLink> recipe_of_layer(const Store& store, const std::string& chain_id) {
    constexpr std::string_view ending = ".recipe";
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(store.layer(chain_id), none)) {
        const std::string name = entry.path().filename();
        const std::string diff = name.substr(0, name.size() - std::min(name.size(), ending.size()));
        if (name.ends_with(ending) && is_sha256(diff)) {
            return BlobLink{.chain_id = chain_id, .diff = diff};
        }
    }
    return std::nullopt;
}

std::vector<LayerBlob> layer_blobs(const Store& store, const oci::StoredImage& image) {
    const std::string path = store.manifest(image.digest);
    const auto text = sys::read_small_file(path);
    const oci::ImageManifest manifest = oci::parse_manifest(text.value_or(""));
    if (manifest.layers.size() != image.layers.size()) {
        throw Error("the image is damaged").at(path).because("it has another number of layers");
    }
    std::vector<LayerBlob> blobs;
    blobs.reserve(manifest.layers.size());
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
        blobs.push_back({.blob = oci::sha256_of_digest(manifest.layers[i].digest, "/layers"),
                         .chain_id = image.layers[image.layers.size() - 1 - i]});
    }
    return blobs;
}

bool lead_to_own_layers(const Store& store,
                        const oci::StoredImage& image,
                        std::set<std::string>& kept) {
    bool is_changed = false;
    for (const auto& [blob, chain_id] : layer_blobs(store, image)) {
        const auto link = link_of_blob(store, blob);
        if (!link || kept.contains(link->chain_id)) {
            continue;
        }
        if (const auto own = recipe_of_layer(store, chain_id)) {
            replace_blob(store, blob, *own);
            is_changed = true;
        } else {
            kept.insert(link->chain_id);
        }
    }
    return is_changed;
}

void replace_blob(const Store& store, const std::string& hex, const BlobLink& link) {
    const WorkDirectory work(store);
    const std::string beside = work.file("link");
    const std::string target =
        "../.." + store.recipe(link.chain_id, link.diff).substr(store.root().size());
    if (::symlink(target.c_str(), beside.c_str()) < 0 ||
        ::rename(beside.c_str(), store.blob(hex).c_str()) < 0) {
        throw Error(cannot_store).at("sha256:" + hex).because(errno);
    }
}

void require_blob(const Store& store, const std::string& hex) {
    const std::string path = store.blob(hex);
    if (!exists(path)) {
        throw Error(cannot_store).at("sha256:" + hex).because("the blob is missing");
    }
    if (sha256_of_blob(store, hex).value_or(hex) != hex) {
        ::unlink(path.c_str());
        DamagedBlob error(cannot_store);
        error.at("sha256:" + hex).because("the blob is damaged").mend("pull or load it again");
        throw error;
    }
}

std::optional<std::string> sha256_of_blob(const Store& store, const std::string& hex) {
    const UniqueFd file(::open(store.blob(hex).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.valid() && (errno == ELOOP || errno == ENOENT)) {
        return std::nullopt;
    }
    Sha256 hash;
    std::vector<char> buffer(1 << 18);
    for (;;) {
        const ssize_t size = file.valid() ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
        if (size == 0) {
            return hash.finish();
        }
        if (size > 0) {
            hash.update(buffer.data(), static_cast<std::size_t>(size));
        } else if (!file.valid() || errno != EINTR) {
            throw Error("cannot read").at(store.blob(hex)).because(errno);
        }
    }
}

} // namespace sctr::storage
