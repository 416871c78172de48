// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/publish.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <optional>
#include <ranges>
#include <vector>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "storage/blobs.hpp"
#include "storage/files.hpp"
#include "storage/helper.hpp"
#include "storage/work_directory.hpp"

namespace sctr::storage {

namespace {

constexpr const char* cannot_publish = "cannot store the image";

/// One layer on its way into the store.
struct Layer {
    std::string blob;     ///< digest
    std::string diff;     ///< digest
    std::string chain_id; ///< its name in the store
    std::string work;     ///< where it is unpacked; empty: it is there already
    bool is_blob = false; ///< the blob is there itself, and nothing stands for it
};

/// What is to become of a layer: five texts for sctr-layer, each ended by NUL.
std::string job_for(const Store& store, const Layer& layer) {
    const bool here = layer.work.empty();
    std::string job;
    for (const std::string& field :
         {here && !layer.is_blob ? std::string() : store.blob(layer.blob),
          layer.blob,
          layer.diff,
          here ? store.layer_tree(layer.chain_id) : layer.work + "/diff",
          here ? std::string() : layer.work + "/" + layer.diff + ".recipe"}) {
        job += field + '\0';
    }
    return job;
}

/// What is there itself is read by sctr-layer; what stands for a blob must be of the same layer.
void require_layer(const Store& store, Layer& layer) {
    const auto link = link_of_blob(store, layer.blob);
    if (!link && !exists(store.blob(layer.blob))) {
        throw Error(cannot_publish).at("sha256:" + layer.blob).because("the blob is missing");
    }
    if (link && link->diff != layer.diff) {
        throw Error("the unpacked layer is not what the image's config says")
            .at("sha256:" + layer.diff)
            .because("it is sha256:" + link->diff);
    }
    layer.is_blob = !link;
}

/// As require_blob() for each, so that what is wrong is fetched anew at once.
void require_blobs(const Store& store, const std::vector<Layer>& layers) {
    std::optional<DamagedBlob> first;
    for (const Layer& layer : layers) {
        try {
            require_blob(store, layer.blob);
        } catch (const DamagedBlob& error) {
            first = first ? first : error;
        }
    }
    if (first) {
        throw DamagedBlob(*first);
    }
}

std::vector<Layer> layers_of(const oci::ImageManifest& manifest, const oci::ImageConfig& config) {
    if (manifest.layers.size() != config.rootfs.diff_ids.size()) {
        throw Error("invalid image")
            .because("the manifest has " + std::to_string(manifest.layers.size()) +
                     " layers, the config " + std::to_string(config.rootfs.diff_ids.size()));
    }
    constexpr std::size_t most_layers = 500; // OVL_MAX_STACK of the kernel's overlayfs
    if (manifest.layers.size() > most_layers) {
        throw Error("invalid image")
            .because("it has " + std::to_string(manifest.layers.size()) +
                     " layers, and the kernel stacks 500");
    }
    const auto chain = oci::chain_ids(config.rootfs);
    std::vector<Layer> layers;
    layers.reserve(chain.size());
    for (std::size_t i = 0; i < chain.size(); ++i) {
        layers.push_back({.blob = oci::sha256_of_digest(manifest.layers[i].digest, "/layers"),
                          .diff = oci::sha256_of_digest(config.rootfs.diff_ids[i], "/rootfs"),
                          .chain_id = chain[i]});
    }
    return layers;
}

/// Everything written so far, by whomever.
void sync_store(const Store& store) {
    const UniqueFd root(::open(store.root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid() || ::syncfs(root.get()) < 0) {
        throw Error(cannot_publish).at(store.root()).because(errno);
    }
}

void put_in_place(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) < 0 &&
        errno != EEXIST) {
        throw Error(cannot_publish).at(to).because(errno);
    }
}

/// Unpacks what is missing, side by side, and returns what sctr-layer read in the image: the texts
/// of its passwd and group.
std::vector<std::string> unpack_layers(const Store& store, std::vector<Layer>& layers) {
    std::deque<Store::MakeLock> locks;
    std::vector<std::string> made;
    UndoList undo;
    undo.add([&] {
        try {
            remove_trees(made);
        } catch (const Error&) {
            // Swept later; the first error is the caller's.
        }
    });
    for (Layer& layer : layers) {
        if (exists(store.layer(layer.chain_id))) {
            continue;
        }
        locks.emplace_back(store, "layer-" + layer.chain_id);
        if (exists(store.layer(layer.chain_id))) {
            locks.pop_back(); // made while this waited
            continue;
        }
        layer.work = store.make_work_directory();
        made.push_back(layer.work);
        make_directory(layer.work + "/diff", 0755, cannot_publish);
    }
    std::string jobs;
    for (Layer& layer : layers) {
        require_layer(store, layer);
        jobs += job_for(store, layer);
    }
    std::vector<std::string> texts;
    try {
        texts = split(run_layer_program({"unpack"}, jobs), '\0');
    } catch (const Error&) {
        require_blobs(store, layers); // says it better where that is why
        throw;
    }
    sync_store(store);
    for (const Layer& layer : layers) {
        if (!layer.work.empty()) {
            put_in_place(layer.work, store.layer(layer.chain_id));
        }
    }
    sys::sync_directory(store.root() + "/layers");
    undo.dismiss();
    return texts;
}

/// Of all that sctr-layer has read: what recipes make again.
void drop_blobs(const Store& store, const std::vector<Layer>& layers) {
    for (const Layer& layer : layers) {
        if (layer.is_blob && exists(store.recipe(layer.chain_id, layer.diff))) {
            replace_blob(store, layer.blob, {.chain_id = layer.chain_id, .diff = layer.diff});
        }
    }
    sys::sync_directory(store.blobs() + "/sha256");
}

void put_image(const Store& store,
               const oci::StoredImage& image,
               const std::string& manifest_text) {
    const WorkDirectory work(store);
    sys::replace_file(
        work.file("manifest.json"), manifest_text, 0600, sys::Durability::disk, cannot_publish);
    sys::replace_file(work.file("image.json"),
                      oci::serialize(image) + '\n',
                      0600,
                      sys::Durability::disk,
                      cannot_publish);
    put_in_place(work.path(), store.image(image.digest));
    sys::sync_directory(store.root() + "/images");
}

} // namespace

std::string publish_image(const Store& store, const std::string& manifest_text) {
    const std::string digest = Sha256::of(manifest_text);
    if (exists(store.image(digest))) {
        return digest;
    }
    const oci::ImageManifest manifest = oci::parse_manifest(manifest_text);
    const std::string id = oci::sha256_of_digest(manifest.config.digest, "/config/digest");
    require_blob(store, id);
    const std::string config_text = sys::read_small_file(store.blob(id)).value_or("");
    const oci::ImageConfig config = oci::parse_image_config(config_text);
    std::vector<Layer> layers = layers_of(manifest, config);
    const std::vector<std::string> texts = unpack_layers(store, layers);
    drop_blobs(store, layers);

    oci::StoredImage image{.digest = digest,
                           .id = id,
                           .created = config.created,
                           .architecture = config.architecture,
                           .os = config.os,
                           .size = manifest.config.size,
                           .config = config.config,
                           .passwd = texts.empty() ? "" : texts[0],
                           .group = texts.size() > 1 ? texts[1] : ""};
    for (const oci::Descriptor& layer : manifest.layers) {
        image.size += layer.size;
    }
    for (const Layer& layer : layers | std::views::reverse) {
        image.layers.push_back(layer.chain_id);
    }
    put_image(store, image, manifest_text);
    return digest;
}

} // namespace sctr::storage
