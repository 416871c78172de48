// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/commit.hpp"

#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "oci/image_change.hpp"
#include "storage/archives.hpp"
#include "storage/publish.hpp"
#include "storage/work_directory.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// With all that it has, whether sctr knows it or not.
ordered_json read_json(const std::string& path) {
    const auto text = sys::read_small_file(path);
    try {
        return ordered_json::parse(text.value_or(""));
    } catch (const ordered_json::exception&) {
        throw Error("the store lacks a blob, or it is damaged")
            .at(path)
            .mend("see 'sctr system check'; pull or load the image again");
    }
}

/// Before anything is packed: they become JSON, and the changes make sense.
void require_sense(const CommitOptions& options) {
    std::vector<std::string> texts = {
        options.author, options.comment, options.user, options.working_dir};
    for (const auto* list : {&options.entrypoint, &options.cmd, &options.env}) {
        texts.insert(texts.end(), list->begin(), list->end());
    }
    for (const std::string& text : texts) {
        if (valid_utf8(text) != text) {
            throw Error("cannot make the image").at(valid_utf8(text)).because("it is not UTF-8");
        }
    }
    (void)oci::change_config("{}", options.changes);
}

/// What is run comes as lines of a Containerfile, too.
std::vector<std::string> changes_of(const CommitOptions& options) {
    std::vector<std::string> changes;
    if (!options.entrypoint.empty()) {
        changes.push_back("ENTRYPOINT " + ordered_json(options.entrypoint).dump());
    }
    if (!options.cmd.empty()) {
        changes.push_back("CMD " + ordered_json(options.cmd).dump());
    }
    changes.insert(changes.end(), options.changes.begin(), options.changes.end());
    return changes;
}

void change_process(ordered_json& config, const CommitOptions& options) {
    ordered_json& process = config["config"];
    if (process.is_null()) {
        process = ordered_json::object();
    }
    for (const std::string& line : options.env) {
        process["Env"].push_back(line);
    }
    if (!options.user.empty()) {
        process["User"] = options.user;
    }
    if (!options.working_dir.empty()) {
        process["WorkingDir"] = options.working_dir;
    }
    process = ordered_json::parse(oci::change_config(process.dump(), changes_of(options)));
}

} // namespace

std::string commit(const Store& store,
                   const oci::StoredImage& base,
                   const LayerWork& pack,
                   const CommitOptions& options) {
    require_sense(options);
    const WorkDirectory work(store);
    ordered_json config = read_json(store.blob(base.id));
    ordered_json manifest = read_json(store.manifest(base.digest));

    const std::string blob = work.file("layer");
    write_archive(pack, blob);
    const LayerDigests digests = digests_of(blob);
    const auto size = static_cast<std::int64_t>(fs::file_size(blob));
    take_blob(store, blob, digests.blob);

    const std::string now = now_text();
    config["created"] = now;
    config["rootfs"]["diff_ids"].push_back("sha256:" + digests.diff);
    config["history"].push_back(
        {{"created", now}, {"created_by", "sctr commit"}, {"comment", options.comment}});
    if (!options.author.empty()) {
        config["author"] = options.author;
    }
    change_process(config, options);
    const std::string config_text = config.dump();
    manifest["config"]["digest"] = "sha256:" + put_blob(store, config_text);
    manifest["config"]["size"] = config_text.size();
    const bool is_docker = manifest.value("mediaType", "").contains("docker");
    // Not compressed: it is kept unpacked, and compressed on its way to a registry.
    manifest["layers"].push_back({{"mediaType",
                                   is_docker ? "application/vnd.docker.image.rootfs.diff.tar"
                                             : "application/vnd.oci.image.layer.v1.tar"},
                                  {"digest", "sha256:" + digests.blob},
                                  {"size", size}});
    return publish_image(store, manifest.dump());
}

std::string commit_whole(const Store& store, const LayerWork& pack, const CommitOptions& options) {
    require_sense(options);
    const WorkDirectory work(store);
    const std::string blob = work.file("layer");
    write_archive(pack, blob);
    return make_image(store,
                      blob,
                      {.process = {.user = options.user,
                                   .env = options.env,
                                   .entrypoint = options.entrypoint,
                                   .cmd = options.cmd,
                                   .working_dir = options.working_dir},
                       .created_by = "sctr commit",
                       .author = options.author,
                       .comment = options.comment,
                       .changes = options.changes});
}

} // namespace sctr::storage
