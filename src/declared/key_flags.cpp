// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "base/strings.hpp"
#include "declared/keys.hpp"

/// The words that assignments become.
namespace sctr::declared {

namespace {

/// The flags of one key.
class Flags {
  public:
    Flags(std::vector<std::string>& words, std::vector<Problem>& problems)
        : words_(words), problems_(problems) {}

    void add(const Key& key, const std::vector<Entry>& container) {
        switch (key.kind) {
        case Kind::text:
        case Kind::path:
        case Kind::flag:
        case Kind::notify:
            if (const Entry* entry = last_of(container, key.name)) {
                add_one(key, *entry);
            }
            break;
        case Kind::list:
        case Kind::paths:
        case Kind::words:
        case Kind::variables:
        case Kind::volume:
        case Kind::device:
        case Kind::network:
        case Kind::arguments:
            for (const Entry* entry : all_of(container, key.name)) {
                add_each(key, *entry);
            }
            break;
        case Kind::missing:
            for (const Entry* entry : all_of(container, key.name)) {
                problem(*entry, "not supported yet", "use " + std::string(key.flag));
            }
            break;
        case Kind::elsewhere:
            break;
        }
    }

  private:
    void push(const Key& key, const std::string& value) {
        words_.push_back(std::string(key.flag) + value);
    }

    void problem(const Entry& entry, const std::string& why, const std::string& mend) {
        problems_.push_back(
            {.place = entry.place, .text = entry.key + "=: " + why + " (" + mend + ")"});
    }

    void add_one(const Key& key, const Entry& entry) {
        if (key.kind == Kind::path) {
            push(key,
                 entry.value == "unconfined" ? entry.value : path_of(entry.value, entry.place));
        } else if (key.kind == Kind::text) {
            push(key, entry.value);
        } else {
            add_switch(key, entry);
        }
    }

    void add_switch(const Key& key, const Entry& entry) {
        const bool is_notify = key.kind == Kind::notify;
        const auto value = parse_boolean(entry.value);
        if (is_notify && entry.value == "healthy") {
            push(key, "healthy");
        } else if (!value) {
            problem(entry,
                    "bad value '" + entry.value + "'",
                    is_notify ? "give yes, no or healthy" : "give yes or no");
        } else if (*value) {
            push(key, is_notify ? "container" : "");
        }
    }

    void add_each(const Key& key, const Entry& entry) {
        switch (key.kind) {
        case Kind::volume:
            add_volume(key, entry);
            break;
        case Kind::device:
            add_device(key, entry);
            break;
        case Kind::network:
            add_network(key, entry);
            break;
        case Kind::words:
        case Kind::variables:
        case Kind::paths:
        case Kind::arguments:
            add_words(key, entry);
            break;
        case Kind::list:
        case Kind::text:
        case Kind::path:
        case Kind::flag:
        case Kind::notify:
        case Kind::missing:
        case Kind::elsewhere:
            push(key, entry.value);
            break;
        }
    }

    void add_words(const Key& key, const Entry& entry) {
        const auto words = split_words(entry.value);
        if (!words) {
            problem(entry, "a quote is not closed", "close it, or write \\\" for a quote");
            return;
        }
        for (const std::string& word : *words) {
            if (key.kind == Kind::variables && (!word.contains('=') || word.starts_with('='))) {
                problem(entry, "'" + word + "' has no value", "give NAME=VALUE");
            } else {
                push(key, key.kind == Kind::paths ? path_of(word, entry.place) : word);
            }
        }
    }

    void add_volume(const Key& key, const Entry& entry) {
        const auto [source, rest] = split_once(entry.value, ':');
        if (rest && is_host_path(source)) {
            push(key, path_of(source, entry.place) + ":" + *rest);
        } else {
            push(key, entry.value);
        }
    }

    void add_device(const Key& key, const Entry& entry) {
        if (entry.value.starts_with('-')) {
            problem(entry,
                    "a device that may be missing is not supported yet",
                    "use a drop-in on hosts that have it");
            return;
        }
        push(key, entry.value);
    }

    void add_network(const Key& key, const Entry& entry) {
        const std::string& value = entry.value;
        // Of an option after the name, and of a specifier, nothing is known here.
        const std::string name = value.substr(0, value.find(':'));
        for (const std::string_view suffix : {".container", ".pod"}) {
            if (name.ends_with(suffix)) {
                problem(entry, "'" + value + "' is not supported yet", "use container:NAME");
                return;
            }
        }
        push(key, value);
    }

    std::vector<std::string>& words_;
    std::vector<Problem>& problems_;
};

/// --user takes both at once.
void add_user(const std::vector<Entry>& container,
              std::vector<std::string>& words,
              std::vector<Problem>& problems) {
    const Entry* user = last_of(container, "User");
    const Entry* group = last_of(container, "Group");
    if (user == nullptr && group != nullptr) {
        problems.push_back(
            {.place = group->place, .text = "Group=: there is no User= (give it too)"});
    } else if (user != nullptr) {
        words.push_back("--user=" + user->value + (group != nullptr ? ":" + group->value : ""));
    }
}

void find_unknown(const std::vector<Entry>& section,
                  std::span<const Key> known,
                  std::string_view name,
                  std::vector<Problem>& problems) {
    for (const Entry& entry : section) {
        if (find_key(known, entry.key) != nullptr || entry.key.starts_with("X-")) {
            continue;
        }
        const std::string_view close = nearest_key(known, entry.key);
        std::string text = "unknown key '" + entry.key + "' in [" + std::string(name) + "]";
        if (!close.empty()) {
            text += ": did you mean '" + std::string(close) + "'?";
        }
        problems.push_back({.place = entry.place, .text = std::move(text)});
    }
}

} // namespace

std::vector<std::string> flags_of(const std::vector<Entry>& container,
                                  std::vector<Problem>& problems) {
    std::vector<std::string> words;
    find_unknown(container, container_keys(), "Container", problems);
    Flags flags(words, problems);
    for (const Key& key : container_keys()) {
        flags.add(key, container);
        if (key.name == "User") {
            add_user(container, words, problems);
        }
    }
    return words;
}

std::vector<std::string> flags_of(const std::vector<Entry>& section,
                                  std::vector<Problem>& problems,
                                  std::span<const Key> known,
                                  std::string_view name) {
    std::vector<std::string> words;
    find_unknown(section, known, name, problems);
    Flags flags(words, problems);
    for (const Key& key : known) {
        flags.add(key, section);
    }
    return words;
}

std::vector<std::string> command_of(const std::vector<Entry>& container,
                                    std::vector<Problem>& problems) {
    const Entry* exec = last_of(container, "Exec");
    if (exec == nullptr) {
        return {};
    }
    auto words = split_words(exec->value);
    if (!words) {
        problems.push_back({.place = exec->place, .text = "Exec=: a quote is not closed"});
        return {};
    }
    return std::move(*words);
}

} // namespace sctr::declared
