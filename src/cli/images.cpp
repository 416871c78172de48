// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>
#include <map>

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
#include "storage/store.hpp"
#include "storage/volumes.hpp"

/// The verbs of images that need no registry: images, tag, rmi.
namespace sctr::cli {
namespace {

using storage::Store;

std::string table_of(const std::vector<oci::StoredImage>& images,
                     const std::multimap<std::string, std::string>& names) {
    Table table({"NAME", "ID", "CREATED", "SIZE"});
    for (const oci::StoredImage& image : images) {
        const auto line = [&](const std::string& name) {
            constexpr std::size_t day = 10; // of RFC 3339
            table.add({name,
                       image.id.substr(0, short_id),
                       image.created.empty() ? "-" : image.created.substr(0, day),
                       size_text(image.size)});
        };
        const auto [first, last] = names.equal_range(image.digest);
        if (first == last) {
            line("<none>");
        }
        for (auto name = first; name != last; ++name) {
            line(name->second);
        }
    }
    return table.text();
}

nlohmann::ordered_json json_of(const std::vector<oci::StoredImage>& images,
                               const std::multimap<std::string, std::string>& names) {
    auto list = nlohmann::ordered_json::array();
    for (const oci::StoredImage& image : images) {
        auto own = nlohmann::ordered_json::array();
        const auto [first, last] = names.equal_range(image.digest);
        for (auto name = first; name != last; ++name) {
            own.push_back(name->second);
        }
        list.push_back({{"id", image.id},
                        {"digest", "sha256:" + image.digest},
                        {"names", own},
                        {"created", image.created},
                        {"size", image.size},
                        {"architecture", image.architecture},
                        {"os", image.os},
                        {"layers", image.layers.size()}});
    }
    return list;
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

} // namespace

int images_verb(const Words& words) {
    bool json = false;
    bool quiet = false;
    std::optional<std::string> format_text;
    std::vector<std::string> filters;
    CLI::App app("Lists images.", "sctr images");
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
    add_format(app, "--format", format_text);
    const auto wanted = parse_names(app, words);
    for (const std::string& word : wanted) {
        static_cast<void>(oci::parse_reference(word)); // what can be no name is not just missing
    }
    const TypedNames typed(app, words);
    const auto format = as_typed(typed, [&] { return OutputFormat(format_text, json, quiet); });
    const Store store = Store::own();
    const auto filter = as_typed(typed, [&] { return image_filter(with_times(store, filters)); });
    const auto patterns = filter.values("reference");
    auto images = store.images();
    std::erase_if(images, [&](const oci::StoredImage& image) {
        return !filter.takes({.image = image, .names = names_of(store, image.digest)});
    });
    std::multimap<std::string, std::string> names;
    for (const auto& [name, digest] : store.names()) {
        const auto is_meant = [&](const std::string& word) { return oci::is_called(name, word); };
        const auto fits = [&](const std::string& word) { return fits_reference(name, word); };
        if ((wanted.empty() || std::ranges::any_of(wanted, is_meant)) &&
            (patterns.empty() || std::ranges::any_of(patterns, fits))) {
            names.emplace(digest, name);
        }
    }
    if (!wanted.empty()) {
        std::erase_if(images, [&](const auto& image) { return !names.contains(image.digest); });
    }
    std::string text;
    if (quiet) {
        for (const oci::StoredImage& image : images) {
            text += image.id.substr(0, short_id) + '\n';
        }
    } else if (format.is_template()) {
        std::vector<TemplateView> rows;
        for (const TemplateView& image : json_of(images, names)) {
            std::ranges::move(image_rows(image, sys::now_usec()), std::back_inserter(rows));
        }
        text = format.lines(rows);
    } else {
        text =
            format.is_json() ? json_text(json_of(images, names)) + '\n' : table_of(images, names);
    }
    std::fputs(text.c_str(), stdout);
    return 0;
}

int tag_verb(const Words& words) {
    CLI::App app("Gives an image one more name.", "sctr tag");
    describe(app, "IMAGE NAME", {"sctr tag docker.io/library/debian:13 base"});
    const auto names = parse_names(app, words);
    if (names.size() != 2) {
        throw Error("an image and a name are needed").mend("see 'sctr tag --help'");
    }
    if (!oci::parse_reference(names.back()).digest.empty()) {
        throw Error("an image has its digest, and gets no other").at(names.back());
    }
    const Store store = Store::own();
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    const storage::ImageUse use = require_image(store, names.front());
    store.set_name(local_name(names.back()), use.image.digest);
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
    const ImageRemovalOptions how{.every_name = all || force, .with_containers = force};
    const Store store = Store::own();
    store.prepare();
    if (all) {
        for (const oci::StoredImage& image : store.images()) {
            names.push_back(image.digest);
        }
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
