// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/secrets.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "storage/files.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* cannot_store = "cannot store the secret";
constexpr std::string_view suffix = ".secret"; // or one's name could be that of another's new file

std::string directory_of(const Store& store) {
    return store.root() + "/secrets";
}

std::string path_of(const Store& store, const std::string& name) {
    check_secret_name(name); // it becomes a path
    return directory_of(store) + "/" + name + std::string(suffix);
}

Error no_secret(const std::string& name) {
    Error error("there is no such secret");
    error.at(name).mend("see 'sctr secret ls'; 'sctr secret create' makes one");
    return error;
}

/// A line about it, and all the rest is the secret itself.
std::string to_text(const Secret& secret, const std::string& text) {
    const json about{{"version", 1},
                     {"createdUsec", secret.created_usec},
                     {"updatedUsec", secret.updated_usec},
                     {"labels", secret.labels}};
    try {
        return about.dump() + '\n' + text;
    } catch (const json::exception&) {
        throw Error(cannot_store).at(secret.name).because("a label is not UTF-8");
    }
}

std::pair<Secret, std::string> from_text(const std::string& name, const std::string& text) {
    const auto end = text.find('\n');
    Secret secret{.name = name};
    try {
        const json about = json::parse(text.substr(0, end));
        about.at("createdUsec").get_to(secret.created_usec);
        about.at("updatedUsec").get_to(secret.updated_usec);
        about.at("labels").get_to(secret.labels);
    } catch (const json::exception&) {
        throw Error("the secret is damaged").at(name).mend("make it anew: sctr secret create");
    }
    return {std::move(secret), end == std::string::npos ? "" : text.substr(end + 1)};
}

std::pair<Secret, std::string> read_secret(const Store& store, const std::string& name) {
    const auto text = sys::read_small_file(path_of(store, name));
    if (!text) {
        throw errno == ENOENT ? no_secret(name)
                              : Error("cannot read the secret").at(name).because(errno);
    }
    return from_text(name, *text);
}

} // namespace

void check_secret_name(const std::string& name) {
    constexpr std::string_view first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789";
    constexpr std::string_view others = "_.-";
    constexpr std::size_t longest = 200;
    bool valid = !name.empty() && name.size() <= longest && first.contains(name.front());
    for (const char letter : name) {
        valid = valid && (first.contains(letter) || others.contains(letter));
    }
    if (!valid) {
        throw Error("invalid secret name '" + escape_controls(name) + "'")
            .mend("letters, digits, '_', '.' and '-', at most 200, a letter or digit first");
    }
}

void create_secret(const Store& store, Secret secret, const std::string& text, bool replace) {
    const std::string path = path_of(store, secret.name);
    if (text.empty() || text.size() > longest_secret) {
        throw Error(cannot_store)
            .at(secret.name)
            .because(text.empty() ? "it is empty" : "it is longer than 512000 bytes");
    }
    store.prepare();
    ensure_directory(directory_of(store), 0700, cannot_store);
    const Store::MakeLock making(store, "secret-" + secret.name);
    if (exists(path)) {
        if (!replace) {
            throw Error(cannot_store)
                .at(secret.name)
                .because("there is one of that name")
                .mend("give --replace, or remove it with 'sctr secret rm " + secret.name + "'");
        }
        secret.created_usec = describe_secret(store, secret.name).created_usec;
    }
    sys::replace_file(path, to_text(secret, text), 0600, sys::Durability::disk, cannot_store);
    sys::sync_directory(store.root());
}

Secret describe_secret(const Store& store, const std::string& name) {
    return read_secret(store, name).first;
}

std::string load_secret(const Store& store, const std::string& name) {
    return read_secret(store, name).second;
}

std::vector<Secret> list_secrets(const Store& store) {
    std::vector<Secret> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(directory_of(store), none)) {
        std::string name = entry.path().filename();
        if (!name.ends_with(suffix)) {
            continue;
        }
        name.erase(name.size() - suffix.size());
        try {
            found.push_back(describe_secret(store, name));
        } catch (const Error&) {
            found.push_back({.name = name}); // damaged, or gone meanwhile
        }
    }
    std::ranges::sort(found, {}, &Secret::name);
    return found;
}

void remove_secret(const Store& store, const std::string& name) {
    const std::string path = path_of(store, name);
    if (!exists(path)) {
        throw no_secret(name);
    }
    const Store::MakeLock making(store, "secret-" + name);
    ::unlink((path + ".new").c_str()); // of one that was killed
    if (::unlink(path.c_str()) < 0) {
        throw errno == ENOENT ? no_secret(name)
                              : Error("cannot remove the secret").at(name).because(errno);
    }
    sys::sync_directory(directory_of(store));
}

} // namespace sctr::storage
