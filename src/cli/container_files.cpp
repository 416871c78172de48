// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/container_files.hpp"

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "base/strings.hpp"
#include "cli/log.hpp"
#include "linux/relabel.hpp"
#include "storage/helper.hpp"
#include "storage/kept_layers.hpp"
#include "storage/volumes.hpp"

namespace sctr::cli {

namespace {

/// What the container sees as its root before anything is mounted there.
std::vector<std::string> layers_of(const plan::Request& request) {
    if (request.overlay.lower.empty()) {
        return {request.spec.root.path};
    }
    std::vector<std::string> layers{request.overlay.upper};
    layers.insert(layers.end(), request.overlay.lower.begin(), request.overlay.lower.end());
    return layers;
}

plan::OverlayStep overlay_of(const oci::Mount& mount) {
    plan::OverlayStep overlay{.is_volatile = true};
    for (const std::string& option :
         mount.type == "overlay" ? mount.options : std::vector<std::string>()) {
        const auto [key, quoted] = split_once(option, '=');
        const std::string value =
            quoted && quoted->size() > 1 ? quoted->substr(1, quoted->size() - 2) : "";
        if (key == "lowerdir+") {
            overlay.lower.push_back(value);
        } else if (key == "upperdir") {
            overlay.upper = value;
        } else if (key == "workdir") {
            overlay.work = value;
        }
    }
    return overlay;
}

/// What a container writes above the images that it mounts.
std::vector<plan::OverlayStep> writable_mounts(const oci::Spec& spec) {
    std::vector<plan::OverlayStep> overlays;
    for (const oci::Mount& mount : spec.mounts) {
        plan::OverlayStep overlay = overlay_of(mount);
        if (!overlay.upper.empty()) {
            overlays.push_back(std::move(overlay));
        }
    }
    return overlays;
}

/// Of its own image and of those that it mounts.
std::vector<std::string> image_layers(const plan::Request& request) {
    std::vector<std::string> layers = request.overlay.lower;
    for (const oci::Mount& mount : request.spec.mounts) {
        if (mount.type == "overlay") {
            const auto lower = overlay_of(mount).lower;
            layers.insert(layers.end(), lower.begin(), lower.end());
        } else {
            layers.push_back(mount.source); // perhaps an image of one layer
        }
    }
    return layers;
}

void add_own_account(const plan::Request& request) {
    if (request.own_passwd.empty() && request.own_group.empty()) {
        return;
    }
    storage::LayerWork work{.words = {"add-lines",
                                      request.own_passwd,
                                      request.own_group,
                                      "writable",
                                      request.overlay.upper,
                                      request.overlay.work},
                            .kept = request.kept};
    work.words.insert(work.words.end(), request.overlay.lower.begin(), request.overlay.lower.end());
    (void)storage::LayerProgram(work).finish();
}

} // namespace

ContainerFiles::ContainerFiles(const plan::Request& request, bool keep)
    : volume_owner_(request.volume_owner) {
    if (request.overlay.lower.empty() && request.volumes.empty() && request.relabels.empty() &&
        request.chowns.empty() && !request.kept) {
        return;
    }
    const storage::Store store = storage::Store::own();
    UndoList undo;
    if (request.kept) {
        storage::make_kept_layers(store, image_layers(request), *request.kept, [&] {
            log(LogLevel::info, "preparing the image for --userns keep-id, once");
        });
    }
    if (!request.overlay.lower.empty()) {
        root_.emplace(store, request.id, request.overlay);
        add_own_account(request);
        for (const plan::OverlayStep& overlay : writable_mounts(request.spec)) {
            storage::ContainerRoot::make_mount(overlay);
        }
        if (!keep) {
            undo.add([this] { remove(); });
        }
    }
    volumes_ = storage::prepare_volumes(
        store, request.volumes, layers_of(request), keep ? "" : request.volume_owner);
    for (const plan::Relabel& relabel : request.relabels) {
        sys::relabel_tree(relabel.path, relabel.label);
    }
    for (const plan::Chown& chown : request.chowns) {
        (void)storage::LayerProgram(
            {.words = {"chown", std::to_string(chown.uid), std::to_string(chown.gid), chown.path},
             .kept = request.kept})
            .finish();
    }
    undo.dismiss();
}

void ContainerFiles::remove() {
    try {
        volumes_.clear();
        if (!volume_owner_.empty()) {
            storage::remove_volumes_of(storage::Store::own(), volume_owner_);
        }
        if (root_) {
            root_->remove();
        }
    } catch (const Error& error) {
        log(LogLevel::warn, error.what());
    }
}

} // namespace sctr::cli
