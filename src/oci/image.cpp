// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/image.hpp"

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "oci/image_fields.hpp"
#include "oci/reader.hpp"
#include "oci/writer.hpp"

namespace sctr::oci {

namespace {

constexpr const char* bad_manifest = "invalid image manifest";
constexpr const char* bad_index = "invalid image index";
constexpr const char* bad_config = "invalid image config";

void check(const Descriptor& descriptor, const std::string& pointer) {
    (void)sha256_of_digest(descriptor.digest, pointer + "/digest");
    if (descriptor.size < 0) {
        throw Error(bad_manifest).at(pointer + "/size").because("below 0");
    }
}

void check_schema(std::int64_t version, const char* what) {
    if (version != 2) {
        throw Error(what)
            .at("/schemaVersion")
            .because(std::to_string(version) + " is not 2")
            .mend("images of docker's first schema must be made anew");
    }
}

} // namespace

std::string sha256_of_digest(const std::string& digest, std::string_view where) {
    constexpr std::string_view prefix = "sha256:";
    if (!digest.starts_with(prefix) || !is_sha256(std::string_view(digest).substr(prefix.size()))) {
        throw Error("not a digest by SHA-256").at(where).because("'" + digest + "'");
    }
    return digest.substr(prefix.size());
}

bool is_index(std::string_view json) {
    const JsonDocument document(of_bounded_size(json, bad_index), bad_index);
    document.root().require_object();
    return document.root().find("manifests").has_value();
}

ImageManifest parse_manifest(std::string_view json) {
    auto manifest = parse_as<ImageManifest>(of_bounded_size(json, bad_manifest), bad_manifest);
    check_schema(manifest.schema_version, bad_manifest);
    check(manifest.config, "/config");
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
        check(manifest.layers[i], "/layers/" + std::to_string(i));
    }
    return manifest;
}

ImageIndex parse_index(std::string_view json) {
    auto index = parse_as<ImageIndex>(of_bounded_size(json, bad_index), bad_index);
    check_schema(index.schema_version, bad_index);
    for (std::size_t i = 0; i < index.manifests.size(); ++i) {
        check(index.manifests[i], "/manifests/" + std::to_string(i));
    }
    return index;
}

ImageConfig parse_image_config(std::string_view json) {
    auto config = parse_as<ImageConfig>(of_bounded_size(json, bad_config), bad_config);
    if (config.rootfs.type != "layers") {
        throw Error(bad_config)
            .at("/rootfs/type")
            .because("'" + config.rootfs.type + "' is not layers");
    }
    for (std::size_t i = 0; i < config.rootfs.diff_ids.size(); ++i) {
        (void)sha256_of_digest(config.rootfs.diff_ids[i], "/rootfs/diff_ids/" + std::to_string(i));
    }
    return config;
}

StoredImage parse_stored_image(std::string_view json) {
    return parse_as<StoredImage>(json, "damaged image in the store");
}

std::string serialize(const StoredImage& image) {
    return serialize_object(image);
}

std::string serialize(const ImageConfig& config) {
    return serialize_object(config);
}

std::string serialize(const ImageManifest& manifest) {
    return serialize_object(manifest);
}

std::string serialize(const ImageIndex& index) {
    return serialize_object(index);
}

std::vector<std::string> chain_ids(const LayerIds& layers) {
    std::vector<std::string> chain;
    for (const std::string& diff_id : layers.diff_ids) {
        const std::string diff = sha256_of_digest(diff_id, "/rootfs/diff_ids");
        chain.push_back(chain.empty() ? diff
                                      : Sha256::of("sha256:" + chain.back() + " sha256:" + diff));
    }
    return chain;
}

} // namespace sctr::oci
