// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/archives.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/process.hpp"
#include "linux/procfs.hpp"
#include "oci/image_change.hpp"
#include "oci/json.hpp"
#include "oci/reference.hpp"
#include "storage/platform.hpp"
#include "storage/publish.hpp"
#include "storage/work_directory.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;

constexpr const char* ref_name = "org.opencontainers.image.ref.name";
constexpr const char* full_ref_name = "io.containerd.image.name"; // of docker and containerd

/// The name under which an image of an archive becomes known; empty when it has none.
std::string name_in_store(const std::string& text) {
    try {
        oci::Reference reference = oci::parse_reference(text);
        if (reference.is_short()) {
            reference = oci::in_registry(reference, "localhost");
        }
        return reference.full_name();
    } catch (const Error&) {
        return {}; // a tag alone, or what somebody's tool wrote there
    }
}

Loaded take(const Store& store,
            const std::string& source,
            const std::vector<std::string>& names,
            const TransferOptions& options) {
    Loaded loaded{.digest = take_image(store, source, options)};
    for (const std::string& text : names) {
        if (const std::string name = name_in_store(text); !name.empty()) {
            store.set_name(name, loaded.digest);
            loaded.names.push_back(name);
        }
    }
    return loaded;
}

std::vector<Loaded> take_oci(const Store& store,
                             const std::string& source,
                             const std::string& index_text,
                             const TransferOptions& options) {
    std::vector<Loaded> all;
    const oci::ImageIndex index = oci::parse_index(index_text);
    for (std::size_t i = 0; i < index.manifests.size(); ++i) {
        const auto& notes = index.manifests[i].annotations;
        const auto full = notes.find(full_ref_name);
        const auto found = full != notes.end() ? full : notes.find(ref_name);
        std::vector<std::string> names;
        if (found != notes.end()) {
            names.push_back(found->second);
        }
        const std::string place =
            index.manifests.size() == 1 ? source : source + ":@" + std::to_string(i);
        all.push_back(take(store, place, names, options));
    }
    return all;
}

std::vector<Loaded> take_docker(const Store& store,
                                const std::string& path,
                                const std::string& manifest_text,
                                const TransferOptions& options) {
    const oci::JsonDocument document(manifest_text, "invalid docker archive");
    std::vector<Loaded> all;
    for (const auto& entry : document.root().elements()) {
        std::vector<std::string> names;
        if (const auto tags = entry.find("RepoTags")) {
            for (const auto& tag : tags->elements()) {
                names.push_back(tag.string());
            }
        }
        all.push_back(take(
            store, "docker-archive:" + path + ":@" + std::to_string(all.size()), names, options));
    }
    return all;
}

std::map<std::string, std::string> members_of(const std::string& archive) {
    const auto fields =
        split(run_layer_program({"show", archive, "index.json", "manifest.json"}, ""), '\0');
    std::map<std::string, std::string> members;
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
        members[fields[i]] = fields[i + 1];
    }
    return members;
}

std::string layer_type(const std::string& path) {
    std::array<unsigned char, 4> magic{};
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string type = "application/vnd.oci.image.layer.v1.tar";
    if (!file.valid() || ::read(file.get(), magic.data(), magic.size()) != 4) {
        return type;
    }
    if (magic[0] == 0x1f && magic[1] == 0x8b) {
        return type + "+gzip";
    }
    return magic[0] == 0x28 && magic[1] == 0xb5 ? type + "+zstd" : type;
}

} // namespace

std::string now_text() {
    const std::time_t now = std::time(nullptr);
    struct tm fields{};
    ::gmtime_r(&now, &fields);
    std::array<char, 32> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &fields);
    return {text.data(), size};
}

std::string put_blob(const Store& store, const std::string& text) {
    const std::string hex = Sha256::of(text);
    sys::replace_file(store.blob(hex), text, 0600, sys::Durability::disk, "cannot store the image");
    return hex;
}

LayerDigests digests_of(const std::string& archive) {
    const std::string text = run_layer_program({"digest", archive}, "");
    constexpr std::size_t length = 64;
    return {.blob = text.substr(0, length), .diff = text.substr(length + 1, length)};
}

void take_blob(const Store& store, const std::string& path, const std::string& hex) {
    if (::rename(path.c_str(), store.blob(hex).c_str()) < 0) {
        throw Error("cannot store the image").at(store.blob(hex)).because(errno);
    }
}

namespace {

std::vector<Loaded>
load_from(const Store& store, const std::string& path, const TransferOptions& options) {
    if (fs::is_directory(path)) {
        const auto index = sys::read_small_file(path + "/index.json");
        if (!index) {
            throw Error("cannot load images").at(path).because("the directory is no OCI layout");
        }
        return take_oci(store, "oci:" + path, *index, options);
    }
    const auto members = members_of(path);
    if (const auto index = members.find("index.json"); index != members.end()) {
        // skopeo would unpack it with its owners, which a plain user cannot.
        const WorkDirectory work(store);
        (void)run_layer_program({"layout", path, work.path()}, "");
        return take_oci(store, "oci:" + work.path(), index->second, options);
    }
    if (const auto manifest = members.find("manifest.json"); manifest != members.end()) {
        return take_docker(store, path, manifest->second, options);
    }
    throw Error("cannot load images")
        .at(path)
        .because("it has neither index.json (OCI) nor manifest.json (docker)")
        .mend("'sctr import' makes an image from the files of a root file system");
}

} // namespace

std::vector<Loaded>
load(const Store& store, const std::string& path, const TransferOptions& options) {
    const UniqueFd locked = store.lock(Sharing::shared);
    if (!path.contains(':')) {
        return load_from(store, path, options);
    }
    // To skopeo a colon ends the path.
    const WorkDirectory work(store);
    const std::string link = work.file("archive");
    if (::symlink(path.c_str(), link.c_str()) < 0) {
        throw Error("cannot load images").at(path).because(errno);
    }
    return load_from(store, link, options);
}

void write_archive(const LayerWork& work, const std::string& path) {
    const UniqueFd file =
        sys::raise_fd(UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)));
    if (!file.valid()) {
        throw Error("cannot write").at(path).because(errno);
    }
    LayerWork writing = work;
    writing.output = file.get();
    (void)LayerProgram(writing).finish();
}

std::string make_image(const Store& store, const std::string& archive, const NewImage& about) {
    const LayerDigests digests = digests_of(archive);
    const auto size = static_cast<std::int64_t>(fs::file_size(archive));
    const std::string type = layer_type(archive);
    take_blob(store, archive, digests.blob);
    const std::string now = now_text();
    const oci::ImageConfig config{
        .created = now,
        .author = about.author,
        .architecture = own_architecture(),
        .os = "linux",
        .config = about.process,
        .rootfs = {.type = "layers", .diff_ids = {"sha256:" + digests.diff}},
        .history = {{.created = now, .created_by = about.created_by, .comment = about.comment}}};
    auto json = nlohmann::ordered_json::parse(oci::serialize(config));
    const std::string process = json.value("config", nlohmann::ordered_json::object()).dump();
    json["config"] = nlohmann::ordered_json::parse(oci::change_config(process, about.changes));
    const std::string config_text = json.dump();
    const std::string id = put_blob(store, config_text);
    const oci::ImageManifest manifest{
        .schema_version = 2,
        .media_type = "application/vnd.oci.image.manifest.v1+json",
        .config = {.media_type = "application/vnd.oci.image.config.v1+json",
                   .digest = "sha256:" + id,
                   .size = static_cast<std::int64_t>(config_text.size())},
        .layers = {{.media_type = type, .digest = "sha256:" + digests.blob, .size = size}}};
    return publish_image(store, oci::serialize(manifest));
}

std::string import_root(const Store& store, const std::string& path, const NewImage& about) {
    const UniqueFd locked = store.lock(Sharing::shared);
    const WorkDirectory work(store);
    const std::string blob = work.file("layer");
    std::error_code failure;
    if (fs::is_directory(path, failure)) {
        write_archive({.words = {"pack", path}}, blob);
    } else if (!fs::copy_file(path, blob, failure)) {
        throw Error("cannot read the archive").at(path).because(failure.value());
    }
    return make_image(store, blob, about);
}

} // namespace sctr::storage
