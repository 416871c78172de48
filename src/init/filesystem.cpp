// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/filesystem.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "init/control.hpp"

namespace sctr::init {

namespace {

/// The kernel's own words for why a file system could not be made, which errno rarely tells.
std::string take_context_log(int context) {
    char line[512];
    const ssize_t size = ::read(context, line, sizeof line);
    // A line reads "e tmpfs: Bad value for 'size'": the letter is its severity.
    return size > 2 ? std::string(line + 2, static_cast<std::size_t>(size) - 2) : std::string();
}

[[noreturn]] void fail_context(int context, std::string_view what, const std::string& where) {
    const int error_number = errno;
    std::string why = take_context_log(context);
    while (!why.empty() && why.back() == '\n') {
        why.pop_back();
    }
    fail({.what = what, .where = where, .why = why}, error_number);
}

/// Quotes protect a comma in a list of options; here there is no list.
std::string unquoted(const std::string& value) {
    const bool quoted = value.size() >= 2 && value.starts_with('"') && value.ends_with('"');
    return quoted ? value.substr(1, value.size() - 2) : value;
}

void set_options(int context, const plan::MountStep& step, const std::string& where) noexcept {
    for (const std::string& option : step.data) {
        const std::size_t equals = option.find('=');
        const std::string key = option.substr(0, equals);
        const int result = equals == std::string::npos
                               ? ::fsconfig(context, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0)
                               : ::fsconfig(context,
                                            FSCONFIG_SET_STRING,
                                            key.c_str(),
                                            unquoted(option.substr(equals + 1)).c_str(),
                                            0);
        if (result < 0) {
            fail_context(context, "cannot mount: option '" + option + "' refused", where);
        }
    }
}

/// fsconfig(2) takes values of up to 255 bytes, which the layers of an overlay exceed.
bool has_long_option(const plan::MountStep& step) noexcept {
    constexpr std::size_t longest = 255;
    return std::ranges::any_of(step.data, [](const std::string& option) {
        return option.size() - std::min(option.find('=') + 1, option.size()) > longest;
    });
}

/// With mount(2), which takes a page of options but knows no detached mounts: it is made on a place
/// of the host's tree, which is this process's own and about to go, and cloned from there.
UniqueFd make_by_mount(const plan::MountStep& step, const std::string& where) noexcept {
    constexpr const char* place = "/proc"; // everywhere there, and used by fd only
    std::string options;
    for (const std::string& option : step.data) {
        options += (options.empty() ? "" : ",") + option;
    }
    require(::mount(step.source.c_str(), place, step.fstype.c_str(), 0, options.c_str()) == 0,
            "cannot mount",
            where);
    UniqueFd mount(::open_tree(AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    require(mount.valid() && ::umount2(place, MNT_DETACH) == 0, "cannot mount", where);
    return mount;
}

} // namespace

UniqueFd make_filesystem(const plan::MountStep& step, const std::string& where) noexcept {
    if (has_long_option(step)) {
        return make_by_mount(step, where);
    }
    const UniqueFd context(::fsopen(step.fstype.c_str(), FSOPEN_CLOEXEC));
    require(context.valid(), "cannot mount: no such file system type", where);
    if (!step.source.empty()) {
        // Some file systems refuse a source; what they show in mountinfo is not worth failing for.
        (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", step.source.c_str(), 0);
    }
    set_options(context.get(), step, where);
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
        fail_context(context.get(), "cannot mount", where);
    }
    // The attributes at once: in a user namespace the kernel wants a new procfs or sysfs to be as
    // restricted as the one that is visible.
    UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(step.attr_set)));
    if (!mount.valid()) {
        fail_context(context.get(), "cannot mount", where);
    }
    return mount;
}

namespace {

void set_overlay_option(int context, const char* key, const std::string& value) noexcept {
    if (::fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0) {
        fail_context(context, "cannot mount the image", std::string(key) + "=" + value);
    }
}

/// Before Linux 6.5 all layers are one option, of a page at most: they go by short names.
void set_all_layers(int context,
                    const plan::OverlayStep& overlay,
                    std::vector<UniqueFd>& layers) noexcept {
    constexpr std::size_t longest = 255; // of fsconfig(2)
    std::string value;
    for (const std::string& path : overlay.lower) {
        layers.emplace_back(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        require(layers.back().valid(), "cannot open a layer of the image", path);
        value +=
            (value.empty() ? "" : ":") + ("/proc/self/fd/" + std::to_string(layers.back().get()));
    }
    if (value.size() > longest) {
        fail({.what = "cannot mount the image",
              .where = std::to_string(overlay.lower.size()) + " layers",
              .why = "Linux before 6.5 takes about 15"},
             0);
    }
    set_overlay_option(context, "lowerdir", value);
}

} // namespace

UniqueFd make_overlay(const plan::OverlayStep& overlay) noexcept {
    const UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
    require(context.valid(), "cannot mount the image: the kernel has no overlayfs");
    (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", "overlay", 0);
    std::vector<UniqueFd> layers;
    for (const std::string& path : overlay.lower) {
        if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "lowerdir+", path.c_str(), 0) == 0) {
            continue;
        }
        if (&path != &overlay.lower.front() || errno != EINVAL) {
            fail_context(context.get(), "cannot mount the image", path);
        }
        set_all_layers(context.get(), overlay, layers);
        break;
    }
    set_overlay_option(context.get(), "upperdir", overlay.upper);
    set_overlay_option(context.get(), "workdir", overlay.work);
    for (const auto& [key, wanted] : {std::pair{"userxattr", overlay.user_xattrs},
                                      std::pair{"volatile", overlay.is_volatile}}) {
        if (wanted && ::fsconfig(context.get(), FSCONFIG_SET_FLAG, key, nullptr, 0) < 0) {
            fail_context(context.get(), "cannot mount the image", key);
        }
    }
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
        fail_context(context.get(), "cannot mount the image", overlay.upper);
    }
    UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
    if (!mount.valid()) {
        fail_context(context.get(), "cannot mount the image", overlay.upper);
    }
    return mount;
}

bool is_refused(const plan::MountStep& step) noexcept {
    const UniqueFd context(::fsopen(step.fstype.c_str(), FSOPEN_CLOEXEC));
    const bool is_made =
        context.valid() &&
        ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0 &&
        UniqueFd(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(step.attr_set)))
            .valid();
    return !is_made && errno == EPERM;
}

void reconfigure_filesystem(int mount,
                            const plan::MountStep& step,
                            const std::string& where) noexcept {
    if (step.data.empty()) {
        return;
    }
    const UniqueFd context(::fspick(mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
    require(context.valid(), "cannot remount", where);
    set_options(context.get(), step, where);
    if (::fsconfig(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) < 0) {
        fail_context(context.get(), "cannot remount", where);
    }
}

} // namespace sctr::init
