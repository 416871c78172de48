// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/image_source.hpp"

#include "base/error.hpp"
#include "cli/fetch_flags.hpp"
#include "cli/values.hpp"
#include "storage/skopeo.hpp"

namespace sctr::cli {

namespace {

enum class Pull { missing, always, never };

Pull parse_pull(const RunFlags& flags) {
    const std::string when = flags.pull.value_or("missing");
    if (when == "always" || when == "newer") {
        return Pull::always;
    }
    if (when == "never") {
        return Pull::never;
    }
    if (when != "missing") {
        throw bad_value("--pull", when, "", "missing, always or never");
    }
    return Pull::missing;
}

Error no_image(const std::string& name) {
    Error error("there is no such image");
    error.at(name).mend("see 'sctr images'; 'sctr pull' fetches one");
    return error;
}

} // namespace

std::optional<storage::ImageUse> open_image(const RunFlags& flags) {
    if (!flags.image) {
        if (const char* flag = flags.pull ? "--pull" : first_fetch_flag(flags.fetch)) {
            throw Error("a directory is not fetched").at(flag).mend("drop it, or name an image");
        }
        return std::nullopt;
    }
    const Pull when = parse_pull(flags);
    const storage::TransferOptions options = transfer_options(flags.fetch);
    const storage::Store store = storage::Store::own();
    if (when != Pull::always) {
        if (auto found = store.find(*flags.image)) {
            return found;
        }
        if (when == Pull::never || flags.dry_run) {
            throw no_image(*flags.image);
        }
    }
    store.prepare();
    const std::string digest = storage::pull(store, *flags.image, options);
    auto pulled = store.find_by_digest(digest);
    if (!pulled) {
        throw no_image(*flags.image);
    }
    for (const auto& [name, named] : store.names()) {
        if (named == digest && pulled->name.empty()) {
            pulled->name = name;
        }
    }
    if (const auto found = store.find(*flags.image); found && found->image.digest == digest) {
        pulled->name = found->name;
    }
    return pulled;
}

std::optional<storage::ImageUse> open_pinned_image(const std::string& name,
                                                   const std::string& digest) {
    if (digest.empty()) {
        return std::nullopt;
    }
    auto found = storage::Store::own().find_by_digest(digest);
    if (!found) {
        throw Error("the image of the container is gone")
            .at(name)
            .because("sha256:" + digest)
            .mend("pull or load it again");
    }
    found->name = name;
    return found;
}

} // namespace sctr::cli
