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
#include "linux/durable_file.hpp"
#include "linux/memfd.hpp"
#include "linux/process.hpp"
#include "linux/procfs.hpp"
#include "linux/program.hpp"
#include "oci/reference.hpp"
#include "storage/publish.hpp"
#include "storage/short_names.hpp"
#include "storage/work_directory.hpp"

namespace sctr::storage {

namespace {


constexpr int not_found = 127;

/// skopeo's last words: `time="..." level=fatal msg="..."` without what is around the message.
std::string last_words(const std::string& text) {
    std::string line;
    for (const std::string& candidate : split(text, '\n')) {
        if (!candidate.empty()) {
            line = candidate;
        }
    }
    constexpr std::string_view start = "msg=\"";
    if (const auto at = line.find(start); at != std::string::npos && line.ends_with('"')) {
        line = line.substr(at + start.size(), line.size() - at - start.size() - 1);
        for (std::size_t i = 0; (i = line.find("\\\"", i)) != std::string::npos; ++i) {
            line.erase(i, 1);
        }
    }
    return escape_controls(line);
}

class SkopeoFailed : public Error {
  public:
    using Error::Error;
};

void run_skopeo(std::vector<std::string> words, bool quiet) {
    words.insert(words.begin(), "skopeo");
    const UniqueFd said = sys::raise_fd(sys::memory_file("sctr-skopeo"));
    const auto argv = sys::argument_pointers(words);
    sys::Child child = sys::fork_child(0, [&] {
        const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        if (::dup2(null.get(), STDIN_FILENO) < 0 ||
            ::dup2(quiet ? null.get() : STDERR_FILENO, STDOUT_FILENO) < 0 ||
            ::dup2(said.get(), STDERR_FILENO) < 0) {
            ::_exit(1);
        }
        ::execvp(argv.front(), argv.data());
        ::_exit(errno == ENOENT ? not_found : 1);
    });
    const int status = child.wait();
    if (status == 0) {
        return;
    }
    SkopeoFailed error("cannot copy the image");
    if (status == not_found) {
        error.because("there is no skopeo").mend("install skopeo");
        throw error;
    }
    const std::string words_of_it = last_words(
        sys::read_small_file("/proc/self/fd/" + std::to_string(said.get())).value_or(""));
    error.because(words_of_it.empty() ? "skopeo ended with status " + std::to_string(status)
                                      : words_of_it);
    throw error;
}

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

/// "src" or "dest": which side is the registry.
void add_access(std::vector<std::string>& words,
                const TransferOptions& options,
                const std::string& side) {
    if (options.auth_file) {
        words.insert(words.end(), {"--authfile", *options.auth_file});
    }
    if (options.credentials) {
        words.insert(words.end(), {"--" + side + "-creds", *options.credentials});
    }
    if (!options.verify_tls) {
        words.push_back("--" + side + "-tls-verify=false");
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

constexpr const char* cannot_send = "cannot send the image";

/// An OCI layout of one image, whose blobs are the store's.
void write_layout(const oci::ImageManifest& manifest,
                  const std::string& text,
                  const std::string& digest,
                  const std::string& work) {
    const std::string media_type = manifest.media_type.empty()
                                       ? "application/vnd.oci.image.manifest.v1+json"
                                       : manifest.media_type;
    const oci::ImageIndex index{
        .schema_version = 2,
        .manifests = {{.media_type = media_type,
                       .digest = "sha256:" + digest,
                       .size = static_cast<std::int64_t>(text.size()),
                       .annotations = {{"org.opencontainers.image.ref.name", "image"}}}}};
    sys::replace_file(
        work + "/index.json", oci::serialize(index), 0600, sys::Durability::memory, cannot_send);
    sys::replace_file(work + "/oci-layout",
                      R"({"imageLayoutVersion":"1.0.0"})",
                      0600,
                      sys::Durability::memory,
                      cannot_send);
}

/// The same for docker's manifests, which OCI layouts do not take.
void write_directory(const Store& store,
                     const oci::ImageManifest& manifest,
                     const std::string& text,
                     const std::string& work) {
    using sys::Durability;
    sys::replace_file(work + "/manifest.json", text, 0600, Durability::memory, cannot_send);
    sys::replace_file(work + "/version",
                      "Directory Transport Version: 1.1\n",
                      0600,
                      Durability::memory,
                      cannot_send);
    std::vector<oci::Descriptor> blobs = manifest.layers;
    blobs.push_back(manifest.config);
    for (const oci::Descriptor& blob : blobs) {
        const std::string hex = oci::sha256_of_digest(blob.digest, "/layers");
        if (::link(store.blob(hex).c_str(), (work + "/" + hex).c_str()) < 0 && errno != EEXIST) {
            throw Error(cannot_send).at("sha256:" + hex).because(errno);
        }
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

void send(const Store& store,
          const std::string& digest,
          const std::string& destination,
          const TransferOptions& options) {
    const WorkDirectory work(store);
    const std::string text = sys::read_small_file(store.manifest(digest)).value_or("");
    const oci::ImageManifest manifest = oci::parse_manifest(text);
    const bool is_docker = manifest.media_type.contains("docker");
    if (is_docker) {
        write_directory(store, manifest, text, work.path());
    } else {
        write_layout(manifest, text, digest, work.path());
        // Among the blobs, where skopeo looks for it.
        sys::replace_file(store.blob(digest), text, 0600, sys::Durability::memory, cannot_send);
    }
    std::vector<std::string> words{"copy"};
    add_access(words, options, "dest");
    if (!is_docker) {
        words.insert(words.end(), {"--src-shared-blob-dir", store.blobs()});
    }
    words.insert(words.end(), {is_docker ? "dir:" + work.path() : "oci:" + work.path() + ":image", destination});
    run_skopeo(words, options.quiet);
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
