// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/skopeo.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <vector>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "linux/procfs.hpp"
#include "oci/reference.hpp"
#include "storage/blobs.hpp"
#include "storage/publish.hpp"
#include "storage/run_skopeo.hpp"
#include "storage/short_names.hpp"
#include "storage/work_directory.hpp"

namespace sctr::storage {

namespace {

void add_platform(std::vector<std::string>& words, const TransferOptions& options) {
    if (!options.platform) {
        return;
    }
    const auto parts = split(*options.platform, '/');
    if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || parts[1].empty()) {
        throw Error("invalid value '" + *options.platform + "'")
            .at("--platform")
            .mend("OS/ARCHITECTURE[/VARIANT], as linux/arm64");
    }
    words.insert(words.end(), {"--override-os", parts[0], "--override-arch", parts[1]});
    if (parts.size() == 3) {
        words.insert(words.end(), {"--override-variant", parts[2]});
    }
}

std::vector<std::string> copy_words(const TransferOptions& options) {
    std::vector<std::string> words;
    add_platform(words, options); // of skopeo itself, before the verb
    words.emplace_back("copy");
    add_access(words, options, "src");
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
        const std::string digest = take_image(store, "docker://" + name, options);
        store.set_name(name, digest);
        return digest;
    } catch (SkopeoFailed& error) {
        error.at(name);
        throw;
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
    throw Error("cannot pull the image").at(name).because(reasons);
}

} // namespace sctr::storage
