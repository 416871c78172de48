// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/image_source.hpp"

#include "base/error.hpp"
#include "cli/fetch_flags.hpp"
#include "cli/image_platform.hpp"
#include "cli/values.hpp"
#include "storage/platform.hpp"
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

/// The image that is here, unless another platform's is asked for, which is to be fetched then by
/// `name`: the full one of the image that is here, for a short one may lead a registry's search to
/// somebody else's.
std::optional<storage::ImageUse> find_here(const storage::Store& store,
                                           std::string& name,
                                           const std::optional<std::string>& platform,
                                           bool may_fetch) {
    auto found = store.find(name);
    if (!found || !platform) {
        return found;
    }
    const oci::Platform wanted = storage::parse_platform(*platform);
    const oci::Platform is = platform_of(store, found->image);
    if (storage::is_for_platform(is, wanted)) {
        return found;
    }
    const bool is_of_a_registry = !found->name.empty() && !found->name.starts_with("localhost/");
    if (!may_fetch || !is_of_a_registry) {
        throw Error("cannot use the image")
            .at(name)
            .because("it does not match the platform " + storage::platform_text(wanted) +
                     ": it is for " + storage::platform_text(is))
            .mend("'sctr pull --platform' fetches another");
    }
    name = found->name;
    return std::nullopt;
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
    std::string wanted = *flags.image;
    if (when != Pull::always) {
        const bool may_fetch = when != Pull::never && !flags.dry_run;
        if (auto found = find_here(store, wanted, options.platform, may_fetch)) {
            return found;
        }
        if (!may_fetch) {
            throw no_image(*flags.image);
        }
    }
    store.prepare();
    const std::string digest = storage::pull(store, wanted, options);
    auto pulled = store.find_by_digest(digest);
    if (!pulled) {
        throw no_image(*flags.image);
    }
    if (!options.platform) {
        warn_of_platform(*flags.image, pulled->image);
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
