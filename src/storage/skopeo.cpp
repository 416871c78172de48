// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/skopeo.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <vector>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "oci/reference.hpp"
#include "storage/blobs.hpp"
#include "storage/platform.hpp"
#include "storage/publish.hpp"
#include "storage/run_skopeo.hpp"
#include "storage/short_names.hpp"
#include "storage/work_directory.hpp"

namespace sctr::storage {

namespace {

constexpr const char* cannot_pull = "cannot pull the image";

void add_platform(std::vector<std::string>& words, const TransferOptions& options) {
    if (!options.platform) {
        return;
    }
    const oci::Platform platform = parse_platform(*options.platform);
    words.insert(words.end(),
                 {"--override-os", platform.os, "--override-arch", platform.architecture});
    if (!platform.variant.empty()) {
        words.insert(words.end(), {"--override-variant", platform.variant});
    }
}

std::vector<std::string> copy_words(const TransferOptions& options) {
    std::vector<std::string> words;
    add_platform(words, options); // of skopeo itself, before the verb
    words.emplace_back("copy");
    add_access(words, options, "src-");
    return words;
}

/// The OCI layout that skopeo made has the manifest; the blobs are in the store.
std::string manifest_of_layout(const Store& store, const std::string& layout) {
    const auto text = sys::read_small_file(layout + "/index.json");
    const oci::ImageIndex index = oci::parse_index(text.value_or(""));
    if (index.manifests.size() != 1) {
        throw Error("skopeo left no image").at(layout);
    }
    const std::string hex =
        oci::sha256_of_digest(index.manifests.front().digest, "/manifests/0/digest");
    // Another skopeo that fetches the same image rewrites it in place, with the same bytes.
    constexpr int most_tries = 100;
    constexpr timespec pause{.tv_sec = 0, .tv_nsec = 10'000'000};
    for (int tries = 0; tries < most_tries; ++tries) {
        const auto manifest = sys::read_small_file(store.blob(hex));
        if (manifest && Sha256::of(*manifest) == hex) {
            return *manifest;
        }
        ::nanosleep(&pause, nullptr);
    }
    throw Error("the manifest is damaged").at("sha256:" + hex).mend("try again");
}

/// What a registry says of an image, byte for byte.
std::string
ask_registry(const char* what, const std::string& source, const TransferOptions& options) {
    std::vector<std::string> words;
    add_platform(words, options);
    words.insert(words.end(), {"inspect", "--raw"});
    if (*what != '\0') {
        words.emplace_back(what);
    }
    add_access(words, options, "");
    words.push_back(source);
    return ask_skopeo(words);
}

/// The same image by a digest: "docker://HOST/NAME:TAG" is "docker://HOST/NAME@DIGEST" then.
std::string by_digest(const std::string& source, const std::string& digest) {
    std::string name = source.substr(0, source.find('@'));
    if (const auto colon = name.rfind(':'); colon > name.rfind('/')) {
        name.resize(colon);
    }
    return name + "@" + digest;
}

bool have_same_layers(const oci::ImageManifest& one, const oci::ImageManifest& other) {
    return std::ranges::equal(
        one.layers, other.layers, {}, &oci::Descriptor::digest, &oci::Descriptor::digest);
}

/// The manifest, as it is at the registry, of the image that became `converted`; empty: not found.
std::string original_of(const oci::ImageManifest& converted,
                        const std::string& source,
                        const TransferOptions& options) {
    std::string text = ask_registry("", source, options);
    if (!oci::is_index(text)) {
        return have_same_layers(oci::parse_manifest(text), converted) ? text : "";
    }
    for (const oci::Descriptor& entry : oci::parse_index(text).manifests) {
        // Attestations and the like have no platform that is one.
        if (entry.platform && entry.platform->os == "unknown") {
            continue;
        }
        text = ask_registry("", by_digest(source, entry.digest), options);
        if (!oci::is_index(text) && have_same_layers(oci::parse_manifest(text), converted)) {
            return text;
        }
    }
    return {};
}

/// Docker's manifests would be converted by an OCI layout. Their layers come through one all the
/// same, so that those that are here are not fetched again; manifest and config are asked for.
/// Empty when it does not work out.
std::string fetch_from_docker(const Store& store,
                              const std::string& source,
                              const TransferOptions& options,
                              const std::string& layout) {
    std::vector<std::string> words = copy_words(options);
    words.insert(words.end(),
                 {"--dest-shared-blob-dir", store.blobs(), source, "oci:" + layout + ":image"});
    run_skopeo(words, options.quiet);
    const auto converted = oci::parse_manifest(manifest_of_layout(store, layout));
    std::string text = original_of(converted, source, options);
    if (text.empty()) {
        return {};
    }
    const std::string id =
        oci::sha256_of_digest(oci::parse_manifest(text).config.digest, "/config/digest");
    const std::string config =
        ask_registry("--config", by_digest(source, "sha256:" + Sha256::of(text)), options);
    if (Sha256::of(config) != id) {
        return {};
    }
    sys::replace_file(
        store.blob(id), config, 0600, sys::Durability::memory, "cannot store the image");
    return text;
}

/// What only `dir:` takes as it is: docker's manifests, which OCI layouts would have converted.
std::string fetch_as_directory(const Store& store,
                               const std::string& source,
                               const TransferOptions& options,
                               const std::string& directory) {
    std::vector<std::string> words = copy_words(options);
    words.insert(words.end(), {source, "dir:" + directory});
    run_skopeo(words, options.quiet);
    const std::string text = sys::read_small_file(directory + "/manifest.json").value_or("");
    const oci::ImageManifest manifest = oci::parse_manifest(text);
    std::vector<oci::Descriptor> blobs = manifest.layers;
    blobs.push_back(manifest.config);
    for (const oci::Descriptor& blob : blobs) {
        const std::string hex = oci::sha256_of_digest(blob.digest, "/layers");
        const std::string from = directory + "/" + hex;
        if (::rename(from.c_str(), store.blob(hex).c_str()) < 0 &&
            ::access(store.blob(hex).c_str(), F_OK) != 0) {
            throw Error("cannot take over a blob").at("sha256:" + hex).because(errno);
        }
    }
    return text;
}

/// Asked before anything is fetched. skopeo looks for the platform in an index alone, and takes a
/// single image whatever it is for.
void require_platform(const std::string& name, const TransferOptions& options) {
    if (!options.platform) {
        return;
    }
    const oci::Platform wanted = parse_platform(*options.platform);
    oci::ImageConfig config;
    try {
        config = oci::parse_image_config(ask_registry("--config", "docker://" + name, options));
    } catch (const SkopeoFailed& error) {
        if (!std::string_view(error.what()).contains("no image found in")) {
            throw;
        }
        throw Error(cannot_pull)
            .at(name)
            .because("it is not there for the platform " + platform_text(wanted))
            .mend("'skopeo inspect --raw docker://" + name + "' shows its platforms");
    }
    const oci::Platform found{
        .architecture = config.architecture, .os = config.os, .variant = config.variant};
    if (!is_for_platform(found, wanted)) {
        throw Error(cannot_pull)
            .at(name)
            .because("it does not match the platform " + platform_text(wanted) + ": it is for " +
                     platform_text(found))
            .mend("drop --platform, or name another image");
    }
}

/// What a name leads to, and since when.
struct NameState {
    ino_t inode = 0;
    std::int64_t changed = 0;

    bool operator==(const NameState&) const = default;
};

NameState state_of(const std::string& link) {
    struct stat info{};
    if (::lstat(link.c_str(), &info) < 0) {
        return {};
    }
    return {.inode = info.st_ino,
            .changed = info.st_ctim.tv_sec * 1'000'000'000 + info.st_ctim.tv_nsec};
}

std::string pull_full(const Store& store, const std::string& name, const TransferOptions& options) {
    const NameState before = state_of(store.name_link(name));
    const Store::MakeLock making(store,
                                 "name-" + Sha256::of(name + '\n' + options.platform.value_or("")));
    if (state_of(store.name_link(name)) != before) {
        if (const auto made = store.find(name)) {
            return made->image.digest; // while this waited
        }
    }
    const UniqueFd locked = store.lock(Sharing::shared);
    try {
        require_platform(name, options);
        const std::string digest = take_image(store, "docker://" + name, options);
        store.set_name(name, digest);
        return digest;
    } catch (const SkopeoFailed& error) {
        throw transfer_failed(cannot_pull, name, name, error);
    }
}

} // namespace

std::string fetch(const Store& store, const std::string& source, const TransferOptions& options) {
    const WorkDirectory work(store);
    std::vector<std::string> words = copy_words(options);
    words.insert(words.end(),
                 {"--preserve-digests",
                  "--dest-shared-blob-dir",
                  store.blobs(),
                  source,
                  "oci:" + work.file("oci:image")});
    try {
        run_skopeo(words, options.quiet);
    } catch (const SkopeoFailed& error) {
        if (!std::string_view(error.what()).contains("preserve digests")) {
            throw;
        }
        if (source.starts_with("docker://")) {
            std::string text = fetch_from_docker(store, source, options, work.file("converted"));
            if (!text.empty()) {
                return text;
            }
        }
        return fetch_as_directory(store, source, options, work.file("dir"));
    }
    return manifest_of_layout(store, work.file("oci"));
}

std::string
take_image(const Store& store, const std::string& source, const TransferOptions& options) {
    try {
        return publish_image(store, fetch(store, source, options));
    } catch (const DamagedBlob&) {
        return publish_image(store, fetch(store, source, options));
    }
}

std::string pull(const Store& store, const std::string& name, const TransferOptions& options) {
    const oci::Reference reference = oci::parse_reference(name);
    if (!reference.is_short()) {
        return pull_full(store, reference.full_name(), options);
    }
    const auto candidates = names_in_registries(reference);
    if (candidates.size() == 1) {
        return pull_full(store, candidates.front(), options);
    }
    std::string reasons;
    for (const std::string& candidate : candidates) {
        try {
            return pull_full(store, candidate, options);
        } catch (const SkopeoFailed& error) {
            reasons += std::string(reasons.empty() ? "" : "; ") + error.what();
        }
    }
    throw Error(cannot_pull).at(name).because(reasons);
}

std::string image_id(const std::string& source) {
    try {
        const oci::ImageManifest manifest =
            oci::parse_manifest(ask_skopeo({"inspect", "--raw", source}));
        return oci::sha256_of_digest(manifest.config.digest, "/config");
    } catch (const Error&) {
        return {};
    }
}

} // namespace sctr::storage
