// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/gather.hpp"
#include "cli/host_files.hpp"
#include "cli/log.hpp"
#include "cli/mount_flags.hpp"
#include "cli/request_builder.hpp"
#include "cli/secret_flags.hpp"
#include "cli/volumes_from.hpp"
#include "host/caller.hpp"
#include "storage/kept_layers.hpp"
#include "storage/root.hpp"
#include "storage/secrets.hpp"
#include "storage/volumes.hpp"

namespace sctr::cli {
namespace {

std::string resolved_rootfs(const std::string& flag) {
    char* const resolved = ::realpath(flag.c_str(), nullptr);
    if (resolved == nullptr) {
        throw Error("cannot use the root file system '" + flag + "'").at("--rootfs").because(errno);
    }
    std::string path(resolved);
    std::free(resolved); // NOLINT: realpath(3) allocates with malloc
    return path;
}

/// An account file of an image: the container may have another by now.
std::string account_file(const std::string& upper, const char* path, const std::string& of_image) {
    const UniqueFd root(::open(upper.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    try {
        const std::string own = root.valid() ? read_in_root(root, path) : "";
        return own.empty() ? of_image : own;
    } catch (const Error&) {
        return {}; // removed, or made something else
    }
}

/// Whether an account file has a line of that name or id.
bool has_entry(const std::string& text, const std::string& name, const std::string& id) {
    return std::ranges::any_of(split(text, '\n'), [&](const std::string& line) {
        const auto fields = split(line, ':');
        return fields.size() > 2 && (fields[0] == name || fields[2] == id);
    });
}

/// Whom the container calls the caller has a name there, too: many programs ask for it.
void add_own_account(RootfsFacts& facts) {
    const std::string uid = std::to_string(facts.kept->uid);
    const std::string gid = std::to_string(facts.kept->gid);
    const struct passwd* user = ::getpwuid(::geteuid());
    if (user != nullptr && !has_entry(facts.passwd, user->pw_name, uid)) {
        facts.own_passwd = std::string(user->pw_name) + ":*:" + uid + ":" + gid + "::/:/bin/sh";
        facts.passwd += "\n" + facts.own_passwd;
    }
    const struct group* group = ::getgrgid(::getegid());
    if (group != nullptr && !has_entry(facts.group, group->gr_name, gid)) {
        facts.own_group = std::string(group->gr_name) + ":*:" + gid + ":";
        facts.group += "\n" + facts.own_group;
    }
}

/// Of the service that this process is, else from the path that was given.
std::string read_credential(const SecretUse& use) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    const std::string given = std::string(directory != nullptr ? directory : "") + "/" + use.name;
    if (directory != nullptr && ::access(given.c_str(), F_OK) == 0) {
        return read_host_file(given, use.flag);
    }
    if (!use.path.empty()) {
        return read_host_file(use.path, use.flag);
    }
    throw Error("there is no such credential")
        .at(use.flag)
        .because(directory != nullptr ? "the service has others" : "this is no service with any")
        .mend("give its file, NAME:PATH, or LoadCredential= to the unit");
}

} // namespace

void gather_root(const RunFlags& flags,
                 const std::optional<storage::ImageUse>& image,
                 RootfsFacts& facts) {
    const storage::Store store = storage::Store::own();
    std::vector<std::string> lower;
    std::string directory;
    if (image) {
        for (const std::string& layer : image->image.layers) {
            lower.push_back(storage::layer_tree_for(store, layer, facts.kept));
        }
        facts.image = image->name.empty() ? image->image.id.substr(0, 12) : image->name;
        facts.image_digest = image->image.digest;
        facts.image_process = image->image.config;
    } else if (flags.rootfs && !flags.rootfs->empty()) {
        constexpr std::string_view overlay_suffix = ":O";
        directory = *flags.rootfs;
        const bool above = directory.ends_with(overlay_suffix);
        directory = resolved_rootfs(
            above ? directory.substr(0, directory.size() - overlay_suffix.size()) : directory);
        if (above) {
            lower.push_back(directory);
        }
    } else {
        throw Error("nothing to run: no image and no root file system")
            .at("--rootfs")
            .mend("name an image, or the directory that becomes the container's root: --rootfs "
                  "DIR");
    }
    facts.rootfs = directory;
    if (!lower.empty()) {
        const std::string name = flags.name.value_or(facts.random_id);
        const bool keep =
            flags.detach ? !(flags.remove_given && flags.remove) : !flags.remove && !flags.service;
        facts.overlay = storage::ContainerRoot::overlay(store, name, std::move(lower), keep);
        facts.rootfs = storage::ContainerRoot::place(store, name);
    }
    if (image) {
        facts.passwd = account_file(facts.overlay.upper, "/etc/passwd", image->image.passwd);
        facts.group = account_file(facts.overlay.upper, "/etc/group", image->image.group);
    } else {
        gather_accounts(directory, facts);
    }
    if (facts.kept && !facts.overlay.lower.empty()) {
        add_own_account(facts);
    }
}

void gather_volumes(const MountFlags& flags,
                    const container::RecordStore& records,
                    const Caller* caller,
                    RootfsFacts& facts) {
    facts.volumes = storage::volumes_directory(storage::Store::own());
    facts.volume_owner = caller != nullptr && !caller->volume_owner.empty()
                             ? caller->volume_owner
                             : random_id() + random_id();
    facts.volumes_from = mounts_of_others(flags.volumes_from, records);
}

void gather_images(const MountFlags& flags, RootfsFacts& facts) {
    static std::vector<storage::ImageUse> held;
    const storage::Store store = storage::Store::own();
    for (const std::string& name : mounted_images(flags)) {
        auto found = store.find(name);
        if (!found) {
            throw Error("there is no such image")
                .at("--mount " + name)
                .mend("see 'sctr images'; 'sctr pull' fetches one");
        }
        for (const std::string& layer : found->image.layers) {
            facts.images[name].push_back(storage::layer_tree_for(store, layer, facts.kept));
        }
        held.push_back(std::move(*found));
    }
}

namespace {

/// Of the service that a container is, as systemd keeps them for it.
std::string credential_of(const container::Record& record, const std::string& name) {
    const host::Caller& caller = host::caller();
    const std::string root = caller.is_system ? "/run" : host::runtime_directory(caller);
    const std::string path = root + "/credentials/" + record.service_unit + "/" + name;
    if (record.service_unit.empty() || ::access(path.c_str(), F_OK) != 0) {
        throw Error("there is no such credential any more").at(name);
    }
    return read_host_file(path, "--credential " + name);
}

} // namespace

void add_secret_variables(oci::Spec& config, const container::Record& record) {
    for (const auto& [key, source] : config.annotations) {
        if (!key.starts_with(secret_variable_annotation) || !config.process) {
            continue;
        }
        const std::string variable =
            key.substr(std::string_view(secret_variable_annotation).size());
        const auto [kind, name] = split_once(source, ':');
        try {
            const std::string text =
                kind == "credential"
                    ? credential_of(record, name.value_or(""))
                    : storage::load_secret(storage::Store::own(), name.value_or(""));
            config.process->env.push_back(variable + "=" + text);
        } catch (const Error& error) {
            log(LogLevel::warn, "without the variable " + variable + ": " + error.what());
        }
    }
}

void gather_secrets(const RunFlags& flags, bool for_later, RootfsFacts& facts) {
    const auto uses = parse_secrets(flags.mounts);
    if (uses.empty()) {
        return;
    }
    const storage::Store store = storage::Store::own();
    for (const SecretUse& use : uses) {
        std::string text;
        if (use.is_credential) {
            text = for_later || flags.dry_run ? "" : read_credential(use);
        } else {
            text = storage::load_secret(store, use.name); // or says that there is none
        }
        facts.secrets.push_back(flags.dry_run ? "" : std::move(text));
    }
}

} // namespace sctr::cli
