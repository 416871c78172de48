// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/mount_flags.hpp"

#include <algorithm>
#include <map>

#include "base/strings.hpp"
#include "cli/mount_options.hpp"
#include "cli/values.hpp"
#include "plan/volume.hpp"

namespace sctr::cli {
namespace {

const std::vector<std::string> bind_defaults = {"rbind", "rprivate"};
const std::vector<std::string> tmpfs_defaults = {"noexec", "nosuid", "nodev", "rw"}; // docker's

constexpr const char* volume_form =
    "[SOURCE:]TARGET[:OPTIONS]; options are ro, rw, rro, bind, rbind, nosuid, nodev, noexec, suid, "
    "dev, exec, [r]private, [r]slave, [r]shared, [r]idmap, idmap=uids=FILE-SHOWN-SIZE;gids=..., z, "
    "Z, U; of volumes also nocopy";

std::string target_path(const char* flag, const std::string& path) {
    const std::string target = container_path(flag, path);
    if (target == "/") {
        throw bad_value(flag, path, "that is the root itself", "a path below /");
    }
    return target;
}

bool is_idmap(std::string_view word) {
    return word == "idmap" || word == "ridmap";
}

/// What the letters z and Z say.
Sharing sharing_of(std::string_view word) {
    return word == "z" ? Sharing::all : word == "Z" ? Sharing::one : Sharing::none;
}

/// What -v calls an option and what it stands for.
void add_volume_option(CallersMount& callers,
                       MountOptions& options,
                       const std::string& word,
                       const std::string& text) {
    if (word == "U") {
        callers.chown = true;
    } else if (callers.volume && (word == "copy" || word == "nocopy")) {
        callers.volume->copy_up = word == "copy";
    } else if (sharing_of(word) != Sharing::none) {
        return; // volume_sharing() tells
    } else if (const auto [name, value] = split_once(word, '='); value && is_idmap(name)) {
        options.add_value(name, *value);
    } else if (word == "tmpcopyup" || !options.add(word)) {
        throw bad_value("--volume", text, "unknown option '" + word + "'", volume_form);
    }
}

VolumeSource volume_named(const std::string& flag, const std::string& name) {
    if (!name.empty()) {
        try {
            plan::check_volume_name(name);
        } catch (Error& error) {
            if (name.contains('/')) {
                error.mend("type=bind mounts a directory of the host");
            }
            throw error.at(flag);
        }
    }
    return {.name = name};
}

void finish(oci::Mount& mount, const MountOptions& options) {
    mount.options.insert(mount.options.begin(), options.words().begin(), options.words().end());
}

void check_size(const char* flag, const std::string& text, const std::string& value) {
    const bool percent = value.ends_with('%') && parse_uint(value.substr(0, value.size() - 1));
    const auto bytes = parse_size(value);
    if (!percent && (!bytes || *bytes <= 0)) {
        throw bad_value(flag, text, "'" + value + "' is not a size", "a size as 64m or 50%");
    }
}

void check_mode(const char* flag, const std::string& text, const std::string& value) {
    if (value.empty() || value.size() > 5 ||
        value.find_first_not_of("01234567") != std::string::npos) {
        throw bad_value(flag, text, "'" + value + "' is not a mode", "octal digits as 1777");
    }
}

/// --mount, cut into keys in order; a key without "=" has no value.
using Keys = std::vector<std::pair<std::string, std::optional<std::string>>>;

Keys parse_keys(const std::string& text) {
    // The many names that docker and podman give to one thing.
    static const std::map<std::string, std::string, std::less<>> aliases = {
        {"src", "source"},
        {"dst", "target"},
        {"destination", "target"},
        {"readonly", "ro"},
        {"tmpfs-size", "size"},
        {"tmpfs-mode", "mode"},
        {"U", "chown"},
    };
    Keys keys;
    for (const std::string& part : split(text, ',')) {
        auto [key, value] = split_once(part, '=');
        const auto alias = aliases.find(key);
        keys.emplace_back(alias == aliases.end() ? key : alias->second, value);
    }
    return keys;
}

std::string value_of(const Keys& keys, const std::string& name) {
    const auto found = std::ranges::find(keys, name, &Keys::value_type::first);
    return found == keys.end() ? "" : found->second.value_or("");
}

bool is_true(const std::optional<std::string>& value) {
    return !value || parse_bool("--mount", *value);
}

/// docker's bind-recursive.
void add_recursion(MountOptions& options, const std::string& value) {
    if (value == "disabled") {
        options.add("bind");
    } else if (value == "readonly") {
        options.add("rro");
    } else if (value != "enabled" && value != "writable") {
        throw bad_value(
            "--mount", "bind-recursive=" + value, "", "enabled, disabled, writable or readonly");
    }
}

/// Applies a key of type=bind; false when it has none such.
bool add_bind_key(MountOptions& options, const Keys::value_type& key, const std::string& text) {
    const auto& [name, value] = key;
    if (name == "bind-propagation") {
        if (!value || !options.add(*value)) {
            throw bad_value("--mount", text, "unknown propagation", "[r]private, [r]slave, ...");
        }
    } else if (name == "bind-nonrecursive") {
        options.add(is_true(value) ? "bind" : "rbind");
    } else if (name == "bind-recursive") {
        add_recursion(options, value.value_or(""));
    } else if (name == "relabel") {
        if (value != "shared" && value != "private") {
            throw bad_value(
                "--mount", text, "unknown relabel", "relabel=shared or relabel=private");
        }
    } else if (is_idmap(name)) {
        value ? options.add_value(name, *value) : static_cast<void>(options.add(name));
    } else {
        return false;
    }
    return true;
}

/// Applies a key that every type has; false when it is none.
bool add_common_key(MountOptions& options, const Keys::value_type& key, const std::string& type) {
    const auto& [name, value] = key;
    if (name == "type" || name == "source" || name == "target" || name == "consistency") {
        return true; // consistency is for Mac hosts; docker accepts it everywhere.
    }
    if (name == "ro" || name == "rw") {
        const bool read_only = is_true(value) == (name == "ro");
        options.add(read_only ? "ro" : "rw");
        return true;
    }
    if (name == "chown") {
        return type == "bind" || type == "volume";
    }
    return !value && !is_idmap(name) && name != "tmpcopyup" && options.add(name);
}

/// Applies a key of type=volume; false when it is none.
bool add_volume_key(CallersMount& callers, const Keys::value_type& key) {
    if (!callers.volume || key.first != "volume-nocopy") {
        return false;
    }
    callers.volume->copy_up = !is_true(key.second);
    return true;
}

bool add_file_system_key(MountOptions& options,
                         const Keys::value_type& key,
                         const std::string& type,
                         const std::string& text) {
    const auto& [name, value] = key;
    if (!value) {
        return type == "tmpfs" && name == "tmpcopyup" && options.add(name);
    }
    if (name == "size" && type == "tmpfs") {
        check_size("--mount", text, *value);
    } else if (name == "mode") {
        check_mode("--mount", text, *value);
    } else if (name == "uid" || name == "gid" || (name == "max" && type == "devpts")) {
        parse_in_range("--mount", *value, 0, 4294967294);
    } else {
        return false;
    }
    options.add_value(name, *value);
    return true;
}

std::vector<std::string> type_defaults(const std::string& type, const std::string& text) {
    if (type == "bind" || type == "volume") {
        return bind_defaults;
    }
    if (type == "tmpfs") {
        return tmpfs_defaults;
    }
    if (type == "devpts") {
        return {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
    }
    if (type == "image") {
        return {"ro"};
    }
    throw bad_value("--mount",
                    text,
                    "no known type",
                    "type=bind, type=volume, type=image, type=tmpfs or type=devpts");
}

} // namespace

CallersMount parse_volume(const std::string& text, const std::string& directory) {
    auto parts = split(text, ':');
    if (parts.size() == 1) {
        parts.insert(parts.begin(), ""); // an anonymous volume
    } else if (parts.size() > 3 || parts[0].empty()) {
        throw bad_value("--volume", text, "", volume_form);
    }
    CallersMount callers{
        .mount = {.destination = target_path("--volume", parts[1]), .type = "bind"}};
    if (parts[0].contains('/') || parts[0].starts_with('.')) {
        callers.mount.source = absolute_path(parts[0], directory);
    } else {
        callers.volume = volume_named("--volume " + text, parts[0]);
    }
    MountOptions options(bind_defaults);
    if (parts.size() == 3) {
        for (const std::string& word : split(parts[2], ',')) {
            add_volume_option(callers, options, word, text);
        }
    }
    finish(callers.mount, options);
    return callers;
}

Sharing volume_sharing(const std::string& text) {
    const auto parts = split(text, ':');
    Sharing sharing = Sharing::none;
    for (const std::string& word : split(parts.size() == 3 ? parts[2] : "", ',')) {
        sharing = sharing_of(word) == Sharing::none ? sharing : sharing_of(word);
    }
    return sharing;
}

Sharing mount_sharing(const std::string& text) {
    const std::string value = value_of(parse_keys(text), "relabel");
    return value == "shared" ? Sharing::all : value == "private" ? Sharing::one : Sharing::none;
}

CallersMount parse_mount(const std::string& text, const std::string& directory) {
    const Keys keys = parse_keys(text);
    const bool is_typed = std::ranges::contains(keys, "type", &Keys::value_type::first);
    const std::string type = is_typed ? value_of(keys, "type") : "volume"; // as docker and podman
    MountOptions options(type_defaults(type, text));
    const std::string target = value_of(keys, "target");
    if (target.empty()) {
        throw bad_value("--mount", text, "no target", "dst=PATH");
    }
    CallersMount callers{.mount = {.destination = target_path("--mount", target), .type = type}};
    const std::string source = value_of(keys, "source");
    const bool is_bind = type == "bind";
    if (type == "image" && !source.empty()) {
        callers.image = source;
    } else if (type == "image") {
        throw bad_value("--mount", text, "no source", "src=IMAGE");
    } else if (type == "volume") {
        callers.mount.type = "bind";
        callers.volume = volume_named("--mount " + text, source);
    } else if (is_bind == source.empty()) {
        throw bad_value("--mount",
                        text,
                        is_bind ? "no source" : "a source means nothing here",
                        is_bind ? "src=PATH" : "no src=");
    } else {
        callers.mount.source = is_bind ? absolute_path(source, directory) : type;
    }
    for (const auto& key : keys) {
        if (!add_common_key(options, key, type) && !add_volume_key(callers, key) &&
            !(callers.mount.type == "bind" ? add_bind_key(options, key, text)
                                           : add_file_system_key(options, key, type, text))) {
            throw bad_value("--mount",
                            text,
                            "unknown key '" + key.first + "' for type=" + type,
                            "keys as type, src, dst, ro, nosuid, size, mode, bind-propagation");
        }
        callers.chown = callers.chown || (key.first == "chown" && is_true(key.second));
    }
    finish(callers.mount, options);
    return callers;
}

oci::Mount parse_tmpfs(const std::string& text) {
    const auto [target, words] = split_once(text, ':');
    oci::Mount mount{
        .destination = target_path("--tmpfs", target), .type = "tmpfs", .source = "tmpfs"};
    MountOptions options(tmpfs_defaults);
    for (const std::string& word : split(words.value_or("rw"), ',')) {
        const auto [name, value] = split_once(word, '=');
        if (value && name == "size") {
            check_size("--tmpfs", text, *value);
            options.add_value(name, *value);
        } else if (value && name == "mode") {
            check_mode("--tmpfs", text, *value);
            options.add_value(name, *value);
        } else if (value && (name == "uid" || name == "gid" || name == "nr_inodes")) {
            parse_in_range("--tmpfs", *value, 0, 4294967294);
            options.add_value(name, *value);
        } else if (value || word == "bind" || word == "rbind" || is_idmap(word) ||
                   !options.add(word)) {
            throw bad_value(
                "--tmpfs",
                text,
                "unknown option '" + word + "'",
                "TARGET[:size=...,mode=...,uid=...,gid=...,tmpcopyup,exec,suid,dev,ro]");
        }
    }
    finish(mount, options);
    return mount;
}

} // namespace sctr::cli
