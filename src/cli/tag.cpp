// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/tag.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/verbs.hpp"
#include "oci/reference.hpp"
#include "storage/store.hpp"

/// sctr tag, untag.
namespace sctr::cli {

namespace {

using storage::Store;

/// The one of an image's names that is meant.
std::string own_name(const Words& names, const std::string& text) {
    for (const std::string& full : oci::local_names(oci::parse_reference(text))) {
        if (std::ranges::contains(names, full)) {
            return full;
        }
    }
    throw Error("the image has no such name").at(text).mend("its names: " + join(names, ", "));
}

} // namespace

int tag_verb(const Words& words) {
    CLI::App app("Gives an image more names.", "sctr tag");
    describe(app,
             "IMAGE NAME...",
             {"sctr tag docker.io/library/debian:13 base",
              "sctr tag base base:1 registry.example.org/base:1"});
    const auto names = parse_names(app, words);
    if (names.size() < 2) {
        throw Error("an image and a name are needed").mend("see 'sctr tag --help'");
    }
    const Words added(names.begin() + 1, names.end());
    Words full;
    for (const std::string& name : added) {
        if (!oci::parse_reference(name).digest.empty()) {
            throw Error("an image has its digest, and gets no other").at(name);
        }
        full.push_back(local_name(name));
    }
    const Store store = Store::own();
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    const storage::ImageUse use = require_image(store, names.front());
    for (const std::string& name : full) {
        store.set_name(name, use.image.digest);
    }
    return 0;
}

int untag_verb(const Words& words) {
    CLI::App app("Takes names from an image, which stays.", "sctr untag");
    describe(app,
             "IMAGE [NAME...]",
             {"sctr untag debian localhost/base:1", "sctr untag 3f57d9401f8d    # all its names"});
    const auto names = parse_names(app, words);
    if (names.empty()) {
        throw Error("no image named").mend("see 'sctr untag --help'");
    }
    const Store store = Store::own();
    store.prepare();
    const UniqueFd locked = lock_to_remove(store);
    const storage::ImageUse use = require_image(store, names.front());
    const auto own = names_of(store, use.image.digest);
    Words gone;
    for (const std::string& name : Words(names.begin() + 1, names.end())) {
        gone.push_back(own_name(own, name));
    }
    for (const std::string& name : names.size() == 1 ? own : gone) {
        store.remove_name(name);
    }
    return 0;
}

} // namespace sctr::cli
