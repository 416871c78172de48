// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The image model. Docker's manifests (schema 2) have the same members under other media types.
/// Source: image-spec, manifest.md, image-index.md, config.md, descriptor.md.
namespace sctr::oci {

struct Platform {
    std::string architecture;
    std::string os;
    std::string variant;

    bool operator==(const Platform&) const = default;
};

struct Descriptor {
    std::string media_type;
    std::string digest; ///< "sha256:" and 64 hexadecimal digits
    std::int64_t size = 0;
    std::map<std::string, std::string> annotations;
    std::optional<Platform> platform;

    bool operator==(const Descriptor&) const = default;
};

struct ImageManifest {
    std::int64_t schema_version = 0;
    std::string media_type;
    Descriptor config;
    std::vector<Descriptor> layers; ///< the lowest first
    std::map<std::string, std::string> annotations;
};

struct ImageIndex {
    std::int64_t schema_version = 0;
    std::string media_type;
    std::vector<Descriptor> manifests;
};

/// A member whose presence alone counts, as of ExposedPorts and Volumes.
struct Present {
    bool operator==(const Present&) const = default;
};

/// What an image says of the containers made from it.
struct ImageProcess {
    std::string user;
    std::map<std::string, Present> exposed_ports;
    std::vector<std::string> env;
    std::vector<std::string> entrypoint;
    std::vector<std::string> cmd;
    std::map<std::string, Present> volumes;
    std::string working_dir;
    std::map<std::string, std::string> labels;
    std::string stop_signal;

    bool operator==(const ImageProcess&) const = default;
};

struct HistoryEntry {
    std::string created; ///< RFC 3339
    std::string created_by;
    std::string author;
    std::string comment;
    bool empty_layer = false;

    bool operator==(const HistoryEntry&) const = default;
};

struct LayerIds {
    std::string type;
    std::vector<std::string> diff_ids; ///< digests of the decompressed layers, the lowest first
};

struct ImageConfig {
    std::string created; ///< RFC 3339
    std::string author;
    std::string architecture;
    std::string os;
    std::string variant;
    ImageProcess config;
    LayerIds rootfs;
    std::vector<HistoryEntry> history;
};

/// An unpacked image as the store keeps it: all that the start of a container needs.
struct StoredImage {
    std::string digest; ///< of the manifest, without "sha256:"
    std::string id;     ///< digest of the config, without "sha256:"
    std::string created;
    std::string architecture;
    std::string os;
    std::int64_t size = 0;           ///< bytes of the blobs
    std::vector<std::string> layers; ///< chain IDs without "sha256:", the uppermost first
    ImageProcess config;
    std::string passwd; ///< text of its /etc/passwd
    std::string group;

    bool operator==(const StoredImage&) const = default;
};

/// The hexadecimal digits of a digest by SHA-256. Throws Error for any other; `where` is the JSON
/// pointer for it.
std::string sha256_of_digest(const std::string& digest, std::string_view where);

/// True when the text is an image index or a manifest list and not a manifest.
bool is_index(std::string_view json);

/// These throw Error with the JSON pointer for what is wrong: a type, a digest by anything but
/// SHA-256, a schema that is not 2, a size below 0.
ImageManifest parse_manifest(std::string_view json);
ImageIndex parse_index(std::string_view json);
ImageConfig parse_image_config(std::string_view json);
StoredImage parse_stored_image(std::string_view json);

std::string serialize(const StoredImage& image);
std::string serialize(const ImageConfig& config);
std::string serialize(const ImageManifest& manifest);
std::string serialize(const ImageIndex& index);

/// The chain IDs of an image's layers, the lowest first, without "sha256:": each names a layer and
/// all below it. Source: image-spec, config.md, Layer ChainID.
std::vector<std::string> chain_ids(const LayerIds& layers);

} // namespace sctr::oci
