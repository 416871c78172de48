// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/save.hpp"

#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "oci/image.hpp"
#include "storage/files.hpp"
#include "storage/skopeo.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;

constexpr const char* cannot_save = "cannot save the image";
constexpr const char* name_annotation = "org.opencontainers.image.ref.name";

void write_file(const std::string& path, const std::string& text) {
    sys::replace_file(path, text, 0644, sys::Durability::memory, cannot_save);
}

/// The image that skopeo has put into the layout as `names.front()` gets its other names, too.
void add_names(const std::string& layout, const std::vector<std::string>& names) {
    const std::string path = layout + "/index.json";
    auto index = oci::parse_index(sys::read_small_file(path).value_or(""));
    const auto known = std::ranges::find_if(index.manifests, [&](const auto& manifest) {
        const auto name = manifest.annotations.find(name_annotation);
        return name != manifest.annotations.end() && name->second == names.front();
    });
    if (known == index.manifests.end()) {
        throw Error(cannot_save).at(names.front()).because("skopeo left none of that name");
    }
    oci::Descriptor manifest = *known;
    for (std::size_t i = 1; i < names.size(); ++i) {
        manifest.annotations[name_annotation] = names[i];
        index.manifests.push_back(manifest);
    }
    write_file(path, oci::serialize(index));
}

void save_layout(const Store& store,
                 const std::vector<SavedImage>& images,
                 const std::string& directory) {
    for (const SavedImage& image : images) {
        send(store, image.digest, "oci:" + directory + ":" + image.names.front(), {.quiet = true});
        if (image.names.size() > 1) {
            add_names(directory, image.names);
        }
    }
}

/// Moves what skopeo has written of one image beside that of the others, and returns what is to be
/// said of it. Source: docker's image specification 1.2, "Combined Image JSON + Filesystem
/// Changeset Format".
nlohmann::ordered_json
gather_docker(const std::string& from, const SavedImage& image, const std::string& directory) {
    const auto text = sys::read_small_file(from + "/manifest.json");
    const oci::ImageManifest manifest = oci::parse_manifest(text.value_or(""));
    const auto take = [&](const oci::Descriptor& blob, const std::string& ending) {
        std::string hex = oci::sha256_of_digest(blob.digest, "/digest");
        std::error_code failure;
        if (!exists(directory + "/" + hex + ending)) {
            fs::rename(from + "/" + hex, directory + "/" + hex + ending, failure);
        }
        if (failure) {
            throw Error(cannot_save).at(from + "/" + hex).because(failure.value());
        }
        return hex + ending;
    };
    nlohmann::ordered_json entry = {{"Config", take(manifest.config, ".json")},
                                    {"RepoTags", nlohmann::ordered_json::array()},
                                    {"Layers", nlohmann::ordered_json::array()}};
    for (const std::string& name : image.names) {
        if (!name.contains('@')) { // a digest is no tag
            entry["RepoTags"].push_back(name);
        }
    }
    for (const oci::Descriptor& layer : manifest.layers) {
        entry["Layers"].push_back(take(layer, ".tar"));
    }
    return entry;
}

void save_docker(const Store& store,
                 const std::vector<SavedImage>& images,
                 const std::string& directory) {
    const std::string one = directory + ".one";
    make_directory(directory, 0755, cannot_save);
    auto all = nlohmann::ordered_json::array();
    for (const SavedImage& image : images) {
        send(store, image.digest, "dir:" + one, {.quiet = true, .as_docker_saves = true});
        all.push_back(gather_docker(one, image, directory));
        fs::remove_all(one);
    }
    write_file(directory + "/manifest.json", all.dump());
}

} // namespace

void save(const Store& store,
          const std::vector<SavedImage>& images,
          SavedAs form,
          const std::string& directory) {
    switch (form) {
    case SavedAs::oci_layout:
        save_layout(store, images, directory);
        break;
    case SavedAs::docker:
        save_docker(store, images, directory);
        break;
    }
}

} // namespace sctr::storage
