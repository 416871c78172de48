// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/mount_options.hpp"

#include <algorithm>
#include <array>

namespace sctr::cli {
namespace {

enum class Group {
    write,
    suid,
    dev,
    exec,
    symlinks,
    propagation,
    bind,
    access_time,
    directory_time,
    id_map,
    copy_up
};

struct Option {
    std::string_view word;
    Group group;
};

constexpr std::array<Option, 32> known_options = {{
    {"ro", Group::write},
    {"rw", Group::write},
    {"rro", Group::write},
    {"suid", Group::suid},
    {"nosuid", Group::suid},
    {"dev", Group::dev},
    {"nodev", Group::dev},
    {"exec", Group::exec},
    {"noexec", Group::exec},
    {"private", Group::propagation},
    {"rprivate", Group::propagation},
    {"slave", Group::propagation},
    {"rslave", Group::propagation},
    {"shared", Group::propagation},
    {"rshared", Group::propagation},
    {"unbindable", Group::propagation},
    {"runbindable", Group::propagation},
    {"bind", Group::bind},
    {"rbind", Group::bind},
    {"atime", Group::access_time},
    {"noatime", Group::access_time},
    {"relatime", Group::access_time},
    {"norelatime", Group::access_time},
    {"strictatime", Group::access_time},
    {"nostrictatime", Group::access_time},
    {"diratime", Group::directory_time},
    {"nodiratime", Group::directory_time},
    {"symfollow", Group::symlinks},
    {"nosymfollow", Group::symlinks},
    {"idmap", Group::id_map},
    {"ridmap", Group::id_map},
    {"tmpcopyup", Group::copy_up},
}};

const Option* find(std::string_view word) {
    const auto* const found = std::ranges::find(known_options, word, &Option::word);
    return found == known_options.end() ? nullptr : found;
}

} // namespace

bool MountOptions::add(std::string_view word) {
    const Option* option = find(word);
    if (option == nullptr) {
        return false;
    }
    std::erase_if(words_, [&](const std::string& other) {
        const Option* known = find(other);
        return known != nullptr && known->group == option->group;
    });
    words_.emplace_back(word);
    return true;
}

void MountOptions::add_value(std::string_view name, std::string_view value) {
    const std::string prefix = std::string(name) + '=';
    std::erase_if(words_, [&](const std::string& other) { return other.starts_with(prefix); });
    words_.push_back(prefix + std::string(value));
}

} // namespace sctr::cli
