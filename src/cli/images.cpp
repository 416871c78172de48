// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>
#include <functional>
#include <iterator>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/image_removal.hpp"
#include "cli/names.hpp"
#include "cli/output_format.hpp"
#include "cli/record_json.hpp"
#include "cli/store_filter.hpp"
#include "cli/table.hpp"
#include "cli/template_views.hpp"
#include "cli/typed_names.hpp"
#include "cli/verbs.hpp"
#include "linux/clock.hpp"
#include "oci/reference.hpp"
#include "storage/remove.hpp"
#include "storage/sizes.hpp"
#include "storage/store.hpp"
#include "storage/volumes.hpp"

/// sctr images, rmi.
namespace sctr::cli {
namespace {

using storage::Store;

/// What `images` shows of one.
struct Listed {
    oci::StoredImage image;
    std::int64_t size = 0;
    std::vector<std::string> names;
};

struct Look {
    bool digests = false;
    bool whole_ids = false;
};

std::string shown_id(const oci::StoredImage& image, const Look& look) {
    return look.whole_ids ? "sha256:" + image.id : image.id.substr(0, short_id);
}

std::string table_of(const std::vector<Listed>& images, const Look& look) {
    std::vector<std::string> header{"NAME", "ID", "CREATED", "SIZE"};
    if (look.digests) {
        header.insert(header.begin() + 1, "DIGEST");
    }
    Table table(header);
    for (const Listed& each : images) {
        constexpr std::size_t day = 10; // of RFC 3339
        const auto line = [&](const std::string& name) {
            std::vector<std::string> cells{
                name,
                shown_id(each.image, look),
                each.image.created.empty() ? "-" : each.image.created.substr(0, day),
                size_text(each.size)};
            if (look.digests) {
                cells.insert(cells.begin() + 1, "sha256:" + each.image.digest);
            }
            table.add(cells);
        };
        if (each.names.empty()) {
            line("<none>");
        }
        std::ranges::for_each(each.names, line);
    }
    return table.text();
}

/// Each once, however often it is here.
std::string ids_of(const std::vector<Listed>& images, const Look& look) {
    std::vector<std::string> ids;
    for (const Listed& each : images) {
        if (std::string id = shown_id(each.image, look); !std::ranges::contains(ids, id)) {
            ids.push_back(std::move(id));
        }
    }
    return join(ids, "\n") + (ids.empty() ? "" : "\n");
}

nlohmann::ordered_json json_of(const std::vector<Listed>& images) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& [image, size, names] : images) {
        list.push_back({{"id", image.id},
                        {"digest", "sha256:" + image.digest},
                        {"names", names},
                        {"created", image.created},
                        {"size", size},
                        {"architecture", image.architecture},
                        {"os", image.os},
                        {"layers", image.layers.size()}});
    }
    return list;
}

/// Those that are asked for by names and filters, the newest first.
std::vector<Listed> listed_images(const Store& store,
                                  const std::vector<std::string>& wanted,
                                  const Filter<ImageRow>& filter) {
    const auto patterns = filter.values("reference");
    std::vector<Listed> all;
    for (oci::StoredImage& image : store.images()) {
        std::vector<std::string> names = names_of(store, image.digest);
        if (!filter.takes({.image = image, .names = names})) {
            continue;
        }
        std::erase_if(names, [&](const std::string& name) {
            const auto is_meant = [&](const auto& word) { return oci::is_called(name, word); };
            const auto fits = [&](const auto& word) { return fits_reference(name, word); };
            return (!wanted.empty() && std::ranges::none_of(wanted, is_meant)) ||
                   (!patterns.empty() && std::ranges::none_of(patterns, fits));
        });
        if (wanted.empty() || !names.empty()) {
            const std::int64_t size = storage::image_size(store, image);
            all.push_back({.image = std::move(image), .size = size, .names = std::move(names)});
        }
    }
    std::ranges::stable_sort(all, std::greater(), [](const Listed& each) {
        return std::string_view(each.image.created); // RFC 3339, UTC
    });
    return all;
}

/// before and since name images: their times are what is asked for.
std::vector<std::string> with_times(const Store& store, std::vector<std::string> filters) {
    for (std::string& text : filters) {
        const auto [key, value] = split_once(text, '=');
        if ((key == "before" || key == "since") && value && !value->empty()) {
            text = key + "=" + require_image(store, *value).image.created;
        }
    }
    return filters;
}

/// What `images` shows of each image: the last of its names, or its ID.
std::vector<std::string> words_for_all(const Store& store) {
    std::vector<std::string> words;
    for (const oci::StoredImage& image : store.images()) {
        const auto names = names_of(store, image.digest);
        words.push_back(names.empty() ? image.id.substr(0, short_id) : names.back());
    }
    return words;
}

} // namespace

int images_verb(const Words& words) {
    bool json = false;
    bool quiet = false;
    bool all = false;
    Look look;
    std::optional<std::string> format_text;
    std::vector<std::string> filters;
    CLI::App app("Lists images, the newest first.", "sctr images");
    describe(app,
             "[OPTIONS] [NAME...]",
             {"sctr images",
              "sctr images --json debian",
              "sctr images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
              "sctr images --filter reference='debian*' --filter since=debian:12",
              "sctr rmi $(sctr images -q --filter dangling=true)"});
    add_texts(app,
              "-f,--filter",
              filters,
              "KEY=VALUE: reference=PATTERN, dangling=true|false, label=NAME[=VALUE], "
              "label!=NAME[=VALUE], before=IMAGE, since=IMAGE");
    add_switch(app, "--json", json, "as a JSON array");
    add_switch(app, "-q,--quiet", quiet, "ids alone");
    add_switch(app, "--digests", look.digests, "with the digests of their manifests");
    add_switch(app, "--no-trunc", look.whole_ids, "whole ids");
    add_switch(app, "-a,--all", all, "a habit of people and scripts: all are shown anyway");
    add_format(app, "--format", format_text);
    const auto wanted = parse_names(app, words);
    for (const std::string& word : wanted) {
        static_cast<void>(oci::parse_reference(word)); // what can be no name is not just missing
    }
    const TypedNames typed(app, words);
    const auto format = as_typed(typed, [&] { return OutputFormat(format_text, json, quiet); });
    const Store store = Store::own();
    const auto filter = as_typed(typed, [&] { return image_filter(with_times(store, filters)); });
    const auto images = listed_images(store, wanted, filter);
    std::string text;
    if (quiet) {
        text = ids_of(images, look);
    } else if (format.is_template()) {
        std::vector<TemplateView> rows;
        for (const TemplateView& image : json_of(images)) {
            std::ranges::move(image_rows(image, sys::now_usec()), std::back_inserter(rows));
        }
        text = format.lines(rows);
    } else {
        text = format.is_json() ? json_text(json_of(images)) + '\n' : table_of(images, look);
    }
    std::fputs(text.c_str(), stdout);
    return 0;
}

int rmi_verb(const Words& words) {
    bool all = false;
    bool force = false;
    bool ignore = false;
    CLI::App app("Removes names of images, and images without any.", "sctr rmi");
    describe(app,
             "[OPTIONS] IMAGE...",
             {"sctr rmi docker.io/library/debian:13",
              "sctr rmi 3f57d9401f8d",
              "sctr rmi -f debian       # with the stopped containers that are made from it"});
    add_switch(app, "-a,--all", all, "every image");
    add_switch(app,
               "-f,--force",
               force,
               "stored containers that do not run go with it; by its id: with all its names; "
               "what is not there is no error");
    add_switch(app, "-i,--ignore", ignore, "what is not there is no error");
    auto names = parse_names(app, words);
    if (names.empty() != all) {
        throw Error(all ? "all are to go, and some are named, too" : "no image named")
            .mend("see 'sctr rmi --help'");
    }
    const ImageRemovalOptions how{
        .whole = all, .every_name = all || force, .with_containers = force};
    const Store store = Store::own();
    store.prepare();
    if (all) {
        names = words_for_all(store);
    }
    if (names.empty()) {
        return 0;
    }
    const auto sweep = [&] {
        const UniqueFd locked = lock_to_remove(store);
        storage::sweep_store(store, keeps_root);
        storage::sweep_volumes(store);
    };
    try {
        const auto remove = [&](const std::string& name) { remove_named_image(store, name, how); };
        const auto is_there = [&](const std::string& name) { return store.find(name).has_value(); };
        const int status = all || force || ignore ? for_each_present(names, app, is_there, remove)
                                                  : for_each_word(names, app, remove);
        sweep();
        return status;
    } catch (const Error&) {
        sweep();
        throw;
    }
}

} // namespace sctr::cli
