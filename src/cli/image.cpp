// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/output_format.hpp"
#include "cli/record_json.hpp"
#include "cli/table.hpp"
#include "cli/template_views.hpp"
#include "cli/typed_names.hpp"
#include "cli/verbs.hpp"
#include "linux/procfs.hpp"
#include "storage/sizes.hpp"
#include "storage/store.hpp"

/// sctr image inspect, history, tree, exists.
namespace sctr::cli {
namespace {

using storage::Store;

std::string read_text(const std::string& path) {
    const auto text = sys::read_small_file(path);
    if (!text) {
        throw Error("the store lacks a file")
            .at(path)
            .mend("see 'sctr system check'; pull or load the image again");
    }
    return *text;
}

std::vector<storage::ImageUse> images_of(const Store& store,
                                         const std::vector<std::string>& names) {
    if (names.empty()) {
        throw Error("no image named").mend("see 'sctr images'");
    }
    std::vector<storage::ImageUse> found;
    found.reserve(names.size());
    for (const std::string& name : names) {
        found.push_back(require_image(store, name));
    }
    return found;
}

void inspect(const Store& store,
             const std::vector<storage::ImageUse>& images,
             const OutputFormat& format) {
    using nlohmann::ordered_json;
    auto list = ordered_json::array();
    for (const auto& [image, name, lock] : images) {
        auto names = ordered_json::array();
        for (const auto& [each, digest] : store.names()) {
            if (digest == image.digest) {
                names.push_back(each);
            }
        }
        auto layers = ordered_json::array();
        for (const std::string& chain_id : image.layers) {
            layers.push_back(store.layer_tree(chain_id));
        }
        list.push_back(
            {{"id", image.id},
             {"digest", "sha256:" + image.digest},
             {"names", names},
             {"size", storage::image_size(store, image)},
             {"layers", layers},
             {"config", ordered_json::parse(read_text(store.blob(image.id)))},
             {"manifest", ordered_json::parse(read_text(store.manifest(image.digest)))}});
    }
    show_inspected(list, format, image_view);
}

void history(const Store& store,
             const std::vector<storage::ImageUse>& images,
             const OutputFormat& format) {
    auto all = nlohmann::ordered_json::array();
    std::string text;
    for (const storage::ImageUse& use : images) {
        const auto config = oci::parse_image_config(read_text(store.blob(use.image.id)));
        const auto manifest = oci::parse_manifest(read_text(store.manifest(use.image.digest)));
        Table table({"CREATED", "SIZE", "CREATED BY"});
        std::size_t layer = 0;
        for (const oci::HistoryEntry& entry : config.history) {
            std::int64_t size = 0;
            if (!entry.empty_layer && layer < manifest.layers.size()) {
                const std::size_t below = manifest.layers.size() - 1 - layer++;
                size = storage::layer_size(store, use.image.layers.at(below));
            }
            table.add({entry.created.substr(0, 19), std::to_string(size), entry.created_by});
            all.push_back({{"created", entry.created},
                           {"size", size},
                           {"createdBy", entry.created_by},
                           {"comment", entry.comment},
                           {"emptyLayer", entry.empty_layer}});
        }
        text += table.text();
    }
    show_list(all, format, history_view, text);
}

void tree(const Store& store, const std::vector<storage::ImageUse>& images) {
    const auto all = store.images();
    for (const storage::ImageUse& use : images) {
        std::printf("%s\n", use.name.empty() ? use.image.id.c_str() : use.name.c_str());
        for (std::size_t i = 0; i < use.image.layers.size(); ++i) {
            const std::string& chain_id = use.image.layers[use.image.layers.size() - 1 - i];
            const auto users = std::ranges::count_if(all, [&](const oci::StoredImage& image) {
                return std::ranges::contains(image.layers, chain_id);
            });
            std::printf("%s %.12s  %lld bytes%s\n",
                        i + 1 == use.image.layers.size() ? "`-" : "|-",
                        chain_id.c_str(),
                        static_cast<long long>(storage::layer_size(store, chain_id)),
                        users > 1 ? ", shared" : "");
        }
    }
}

} // namespace

int image_verb(const Words& words) {
    CLI::App app("Shows what is known of images, and does what there is to do with them.",
                 "sctr image");
    describe(app,
             "VERB [OPTIONS] IMAGE...\n\n"
             "inspect, history, tree, exists; and as verbs of their own: ls (images), rm (rmi),\n"
             "prune (system prune), pull, push, build, load, save, import, tag, untag",
             {"sctr image inspect debian",
              "sctr image ls --digests",
              "sctr image exists debian || sctr pull debian",
              "sctr image inspect --format '{{join .Config.Entrypoint \" \"}}' debian",
              "sctr image history debian",
              "sctr image tree debian"});
    std::optional<std::string> format_text;
    add_format(app, "-f,--format", format_text);
    auto names = parse_names(app, words);
    const std::string what = names.empty() ? "" : names.front();
    if (!names.empty()) {
        names.erase(names.begin());
    }
    const auto format =
        as_typed(TypedNames(app, words), [&] { return OutputFormat(format_text, false); });
    const Store store = Store::own();
    if (what == "exists") {
        if (names.size() != 1) {
            throw Error("one image is asked for").mend("see 'sctr image --help'");
        }
        return store.find(names.front()) ? 0 : 1;
    }
    if (what == "inspect") {
        inspect(store, images_of(store, names), format);
    } else if (what == "history") {
        history(store, images_of(store, names), format);
    } else if (what == "tree") {
        if (format_text) {
            throw Error("a tree has one look")
                .at("--format")
                .mend("see 'sctr image inspect --help'");
        }
        tree(store, images_of(store, names));
    } else {
        throw Error("nothing known by that name").at(what).mend("see 'sctr image --help'");
    }
    return 0;
}

} // namespace sctr::cli
