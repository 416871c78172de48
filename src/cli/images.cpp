// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/names.hpp"
#include "cli/record_json.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "container/definition.hpp"
#include "oci/reference.hpp"
#include "storage/remove.hpp"
#include "storage/store.hpp"
#include "storage/volumes.hpp"

/// The verbs of images that need no registry: images, tag, rmi.
namespace sctr::cli {
namespace {

using storage::Store;

constexpr std::size_t short_id = 12; // as docker and podman show

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

std::string json_of(const std::vector<oci::StoredImage>& images,
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
    return json_text(list) + '\n';
}

} // namespace

/// A container that is stored starts from the image again.
void refuse_if_stored(const std::string& digest) {
    const container::DefinitionStore store(container::DefinitionStore::default_root());
    for (const container::Definition& definition : store.list()) {
        if (definition.image_digest == digest) {
            throw Error("cannot remove the image")
                .at(digest.substr(0, short_id))
                .because("the stored container '" + definition.name + "' is made from it")
                .mend("remove that first: sctr rm " + definition.name);
        }
    }
}

namespace {

void remove_one(const Store& store, const std::string& text) {
    std::string digest;
    std::string typed;
    {
        const storage::ImageUse use = require_image(store, text); // which keeps it from going
        digest = use.image.digest;
        typed = use.name;
    }
    const auto names = names_of(store, digest);
    if (names.size() > 1 && typed.empty()) {
        throw Error("cannot remove the image")
            .at(text)
            .because("it has several names")
            .mend("remove them one by one: " + join(names, ", "));
    }
    if (names.size() > 1) {
        store.remove_name(typed);
        return;
    }
    storage::remove_image(store, digest, names, [&] { refuse_if_stored(digest); });
}

} // namespace

int images_verb(const Words& words) {
    bool json = false;
    bool quiet = false;
    CLI::App app("Lists images.", "sctr images");
    describe(app, "[OPTIONS]", {"sctr images", "sctr images --json", "sctr rmi $(sctr images -q)"});
    add_switch(app, "--json", json, "as a JSON array");
    add_switch(app, "-q,--quiet", quiet, "ids alone");
    parse_flags(app, words);
    const Store store = Store::own();
    const auto images = store.images();
    std::multimap<std::string, std::string> names;
    for (const auto& [name, digest] : store.names()) {
        names.emplace(digest, name);
    }
    std::string text;
    if (quiet) {
        for (const oci::StoredImage& image : images) {
            text += image.id.substr(0, short_id) + '\n';
        }
    } else {
        text = json ? json_of(images, names) : table_of(images, names);
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
    const storage::ImageUse use = require_image(store, names.front());
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    store.set_name(local_name(names.back()), use.image.digest);
    return 0;
}

int rmi_verb(const Words& words) {
    CLI::App app("Removes names of images, and images without any.", "sctr rmi");
    describe(app, "IMAGE...", {"sctr rmi docker.io/library/debian:13", "sctr rmi 3f57d9401f8d"});
    const auto names = parse_names(app, words);
    if (names.empty()) {
        throw Error("no image named").mend("see 'sctr rmi --help'");
    }
    const Store store = Store::own();
    store.prepare();
    const UniqueFd locked = lock_to_remove(store);
    const int status =
        for_each_word(names, app, [&](const std::string& name) { remove_one(store, name); });
    storage::sweep_store(store, keeps_root);
    storage::sweep_volumes(store);
    return status;
}

} // namespace sctr::cli
