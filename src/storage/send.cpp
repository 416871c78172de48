// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "storage/blobs.hpp"
#include "storage/files.hpp"
#include "storage/helper.hpp"
#include "storage/run_skopeo.hpp"
#include "storage/skopeo.hpp"
#include "storage/work_directory.hpp"

/// Images on their way out. Layers whose blobs recipes stand for go as archives that are not
/// compressed, which skopeo does as the destination wants it.
namespace sctr::storage {

namespace {

using nlohmann::ordered_json;

constexpr const char* cannot_send = "cannot send the image";

/// An image as skopeo takes it: an OCI layout, or for docker's manifests, which a layout would not
/// take, a directory.
class Outbox {
  public:
    Outbox(const Store& store, const std::string& digest, const WorkDirectory& work)
        : store_(store), work_(work),
          text_(sys::read_small_file(store.manifest(digest)).value_or("")),
          manifest_(oci::parse_manifest(text_)), digest_(digest),
          is_docker_(manifest_.media_type.contains("docker")) {
        if (!is_docker_) {
            std::filesystem::create_directories(work.file("blobs/sha256"));
        }
        put_link(oci::sha256_of_digest(manifest_.config.digest, "/config"));
        for (const oci::Descriptor& layer : manifest_.layers) {
            const std::string hex = oci::sha256_of_digest(layer.digest, "/layers");
            if (link_of_blob(store, hex)) {
                needs_archives_ = true;
            } else {
                put_link(hex);
            }
        }
        write_manifest();
    }

    [[nodiscard]] bool needs_archives() const { return needs_archives_; }

    /// What skopeo calls it.
    [[nodiscard]] std::string source() const {
        return is_docker_ ? "dir:" + work_.path() : "oci:" + work_.path() + ":image";
    }

    /// Puts in the archives of all layers whose blobs are not there; the image is another one then.
    void make_archives() {
        auto manifest = ordered_json::parse(text_);
        for (std::size_t i = 0; i < manifest_.layers.size(); ++i) {
            const oci::Descriptor& layer = manifest_.layers[i];
            if (const auto link =
                    link_of_blob(store_, oci::sha256_of_digest(layer.digest, "/layers"))) {
                change(manifest["layers"][i], layer, link->diff, make_archive(*link));
            }
        }
        text_ = manifest.dump();
        digest_ = Sha256::of(text_);
        write_manifest();
    }

  private:
    [[nodiscard]] std::string place(const std::string& hex) const {
        return work_.file(is_docker_ ? hex : "blobs/sha256/" + hex);
    }

    /// The blob itself, whatever becomes of its name meanwhile.
    void put_link(const std::string& hex) const {
        if (::link(store_.blob(hex).c_str(), place(hex).c_str()) < 0 && errno != EEXIST) {
            throw Error(cannot_send).at("sha256:" + hex).because(errno);
        }
    }

    /// Returns its size.
    [[nodiscard]] std::int64_t make_archive(const BlobLink& link) const {
        const std::string path = place(link.diff);
        const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        struct stat info{};
        if (!file.valid() || ::fstat(file.get(), &info) < 0) {
            throw Error(cannot_send).at(path).because(errno);
        }
        if (info.st_size > 0) {
            return info.st_size; // the image has the layer twice
        }
        try {
            (void)run_layer_program(
                {"assemble", store_.recipe(link.chain_id, link.diff), link.diff}, "", file.get());
        } catch (const Error& error) {
            throw Error(cannot_send)
                .because(error.what())
                .mend("pull or load it again after 'sctr system check --repair'");
        }
        if (::fstat(file.get(), &info) < 0) {
            throw Error(cannot_send).at(path).because(errno);
        }
        return info.st_size;
    }

    static void change(ordered_json& entry,
                       const oci::Descriptor& layer,
                       const std::string& diff,
                       std::int64_t size) {
        std::string type = layer.media_type;
        for (const std::string_view suffix : {"+gzip", "+zstd", ".gzip", ".zstd"}) {
            if (type.ends_with(suffix)) {
                type.resize(type.size() - suffix.size());
            }
        }
        entry["mediaType"] = type;
        entry["digest"] = "sha256:" + diff;
        entry["size"] = size;
        // What they say is where things are in the compressed blob.
        for (const auto& [name, value] : layer.annotations) {
            if (name.starts_with("io.github.containers.zstd-chunked.") ||
                name.starts_with("containerd.io/snapshot/stargz/")) {
                entry["annotations"].erase(name);
            }
        }
    }

    void write_manifest() const {
        const auto write = [&](const std::string& name, const std::string& text) {
            sys::replace_file(work_.file(name), text, 0600, sys::Durability::memory, cannot_send);
        };
        if (is_docker_) {
            write("manifest.json", text_);
            write("version", "Directory Transport Version: 1.1\n");
            return;
        }
        const std::string media_type = manifest_.media_type.empty()
                                           ? "application/vnd.oci.image.manifest.v1+json"
                                           : manifest_.media_type;
        const oci::ImageIndex index{
            .schema_version = 2,
            .manifests = {{.media_type = media_type,
                           .digest = "sha256:" + digest_,
                           .size = static_cast<std::int64_t>(text_.size()),
                           .annotations = {{"org.opencontainers.image.ref.name", "image"}}}}};
        write("blobs/sha256/" + digest_, text_);
        write("index.json", oci::serialize(index));
        write("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
    }

    const Store& store_;
    const WorkDirectory& work_;
    std::string text_;
    oci::ImageManifest manifest_;
    std::string digest_;
    bool is_docker_;
    bool needs_archives_ = false;
};

} // namespace

void send(const Store& store,
          const std::string& digest,
          const std::string& destination,
          const TransferOptions& options) {
    const WorkDirectory work(store);
    Outbox outbox(store, digest, work);
    const auto copy = [&](bool quiet) {
        std::vector<std::string> words{"copy"};
        add_access(words, options, "dest-");
        if (options.as_docker_saves) {
            words.insert(words.end(), {"--format", "v2s2", "--dest-decompress"});
        }
        words.insert(words.end(), {outbox.source(), destination});
        run_skopeo(words, quiet);
    };
    if (outbox.needs_archives()) {
        // A registry may have all of it: then the image stays the same, and nothing is made again.
        // Without a word, which would be said twice where it has not.
        if (destination.starts_with("docker://")) {
            try {
                return copy(true);
            } catch (const SkopeoFailed& error) {
                const std::string_view said(error.what());
                if (!said.contains(work.path()) || !said.contains("no such file")) {
                    throw;
                }
            }
        }
        outbox.make_archives();
    }
    copy(options.quiet);
}

} // namespace sctr::storage
