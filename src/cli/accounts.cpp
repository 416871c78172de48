// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <limits>
#include <optional>

#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

constexpr std::uint64_t last_id = std::numeric_limits<std::uint32_t>::max() - 1;
constexpr const char* form = "NAME or UID, then maybe :GROUP or :GID";

std::optional<std::uint32_t> parse_id(const std::string& text) {
    const auto number = parse_uint(text);
    if (!number || *number > last_id) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(*number);
}

bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

/// An entry of passwd(5) or group(5), both of which are NAME:PASSWORD:ID:...
struct Entry {
    std::string name;
    std::uint32_t id = 0;
    std::vector<std::string> fields;
};

/// The well-formed lines of an account file; what a container's file has beside them is skipped, as
/// the C library does.
std::vector<Entry> entries(const std::string& text, std::size_t least_fields) {
    std::vector<Entry> found;
    for (const std::string& line : split(text, '\n')) {
        auto fields = split(line, ':');
        if (fields.size() < least_fields) {
            continue;
        }
        if (const auto id = parse_id(fields[2]); id && !fields[0].empty()) {
            found.push_back({.name = fields[0], .id = *id, .fields = std::move(fields)});
        }
    }
    return found;
}

/// By name first, so that an account whose name is a number is still found by it.
const Entry* find_entry(const std::vector<Entry>& all, const std::string& word) {
    if (const auto by_name = std::ranges::find(all, word, &Entry::name); by_name != all.end()) {
        return &*by_name;
    }
    if (const auto id = parse_id(word); id && is_number(word)) {
        if (const auto by_id = std::ranges::find(all, *id, &Entry::id); by_id != all.end()) {
            return &*by_id;
        }
    }
    return nullptr;
}

std::uint32_t number_or_throw(const char* flag,
                              const std::string& word,
                              const std::string& kind,
                              const char* file) {
    if (!is_number(word)) {
        throw Error("no " + kind + " '" + word + "' in the container's " + file)
            .at(flag)
            .mend("give a number, or a name that is there");
    }
    const auto id = parse_id(word);
    if (!id) {
        throw bad_value(flag, word, "out of range", "an id from 0 to 4294967294");
    }
    return *id;
}

std::uint32_t gid_of(const char* flag, const std::string& word, const std::vector<Entry>& groups) {
    const Entry* named = find_entry(groups, word);
    return named != nullptr ? named->id : number_or_throw(flag, word, "group", "/etc/group");
}

bool is_member(const Entry& group, const std::string& user) {
    return group.fields.size() > 3 && std::ranges::contains(split(group.fields[3], ','), user);
}

} // namespace

Account find_account(const std::string& user, const std::string& passwd, const std::string& group) {
    const auto [user_word, group_word] = split_once(user, ':');
    if (user_word.empty() || (group_word && group_word->empty()) ||
        (group_word && group_word->contains(':'))) {
        throw bad_value("--user", user, "", form);
    }
    const auto users = entries(passwd, 6);
    const auto groups = entries(group, 3);
    Account account;
    const Entry* known = find_entry(users, user_word);
    if (known != nullptr) {
        account.uid = known->id;
        account.gid = parse_id(known->fields[3]).value_or(0);
        if (known->fields[5].starts_with('/')) {
            account.home = known->fields[5];
        }
    } else {
        account.uid = number_or_throw("--user", user_word, "user", "/etc/passwd");
    }
    if (group_word) {
        account.gid = gid_of("--user", *group_word, groups);
        account.additional_gids = {account.gid};
        return account;
    }
    account.additional_gids = {account.gid};
    for (const Entry& entry : groups) {
        if (known != nullptr && is_member(entry, known->name) &&
            !std::ranges::contains(account.additional_gids, entry.id)) {
            account.additional_gids.push_back(entry.id);
        }
    }
    return account;
}

gid_t find_group(const char* flag, const std::string& word, const std::string& group) {
    if (word.empty()) {
        throw bad_value(flag, word, "", "NAME or GID");
    }
    return gid_of(flag, word, entries(group, 3));
}

} // namespace sctr::cli
