// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "oci/fields.hpp"
#include "oci/image.hpp"

/// The JSON names of the image model, as oci/fields.hpp has those of the runtime's.
namespace sctr::oci {

void fields(auto& visit, Of<Platform> auto& platform) {
    visit.always("architecture", platform.architecture);
    visit.always("os", platform.os);
    visit.optional("variant", platform.variant);
}

void fields(auto& visit, Of<Descriptor> auto& descriptor) {
    visit.always("mediaType", descriptor.media_type);
    visit.required("digest", descriptor.digest);
    visit.required("size", descriptor.size);
    visit.optional("annotations", descriptor.annotations);
    visit.optional("platform", descriptor.platform);
}

void fields(auto& visit, Of<ImageManifest> auto& manifest) {
    visit.required("schemaVersion", manifest.schema_version);
    visit.optional("mediaType", manifest.media_type);
    visit.required("config", manifest.config);
    visit.required("layers", manifest.layers);
    visit.optional("annotations", manifest.annotations);
}

void fields(auto& visit, Of<ImageIndex> auto& index) {
    visit.required("schemaVersion", index.schema_version);
    visit.optional("mediaType", index.media_type);
    visit.required("manifests", index.manifests);
}

void fields(auto& /*visit*/, Of<Present> auto& /*present*/) {}

void fields(auto& visit, Of<ImageProcess> auto& process) {
    visit.optional("User", process.user);
    visit.optional("ExposedPorts", process.exposed_ports);
    visit.optional("Env", process.env);
    visit.optional("Entrypoint", process.entrypoint);
    visit.optional("Cmd", process.cmd);
    visit.optional("Volumes", process.volumes);
    visit.optional("WorkingDir", process.working_dir);
    visit.optional("Labels", process.labels);
    visit.optional("StopSignal", process.stop_signal);
}

void fields(auto& visit, Of<HistoryEntry> auto& entry) {
    visit.optional("created", entry.created);
    visit.optional("created_by", entry.created_by);
    visit.optional("author", entry.author);
    visit.optional("comment", entry.comment);
    visit.optional("empty_layer", entry.empty_layer);
}

void fields(auto& visit, Of<LayerIds> auto& layers) {
    visit.required("type", layers.type);
    visit.required("diff_ids", layers.diff_ids);
}

void fields(auto& visit, Of<ImageConfig> auto& config) {
    visit.optional("created", config.created);
    visit.optional("author", config.author);
    visit.always("architecture", config.architecture);
    visit.always("os", config.os);
    visit.optional("variant", config.variant);
    visit.optional("config", config.config);
    visit.required("rootfs", config.rootfs);
    visit.optional("history", config.history);
}

void fields(auto& visit, Of<StoredImage> auto& image) {
    visit.required("digest", image.digest);
    visit.required("id", image.id);
    visit.optional("created", image.created);
    visit.optional("architecture", image.architecture);
    visit.optional("os", image.os);
    visit.optional("size", image.size);
    visit.required("layers", image.layers);
    visit.optional("config", image.config);
    visit.optional("passwd", image.passwd);
    visit.optional("group", image.group);
}

} // namespace sctr::oci
