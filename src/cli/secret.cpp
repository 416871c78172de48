// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "cli/flags.hpp"
#include "cli/names.hpp"
#include "cli/record_json.hpp"
#include "cli/table.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "linux/clock.hpp"
#include "storage/secrets.hpp"

/// sctr secret create, ls, inspect, rm. None of them shows what is in one.
namespace sctr::cli {
namespace {

using storage::Secret;
using storage::Store;

struct SecretFlags {
    std::vector<std::string> labels;
    bool replace = false;
    bool env = false;
    bool json = false;
    bool quiet = false;
    bool all = false;
};

using Names = std::vector<std::string>;

std::string read_secret_file(const std::string& path) {
    if (path == "-" && ::isatty(STDIN_FILENO) == 1) {
        throw Error("no secret on standard input").mend("give a file, or a pipe");
    }
    const UniqueFd file(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10)
                                    : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    std::string text;
    std::array<char, 16384> buffer{};
    ssize_t size = file.valid() ? 1 : -1;
    while (size > 0 && text.size() <= storage::longest_secret) {
        size = ::read(file.get(), buffer.data(), buffer.size());
        if (size > 0) {
            text.append(buffer.data(), static_cast<std::size_t>(size));
        }
    }
    if (size < 0) {
        throw Error("cannot read the secret").at(path).because(errno);
    }
    return text;
}

std::string read_variable(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
        throw Error("there is no such variable").at("--env " + name);
    }
    return value;
}

int create(const Store& store, const SecretFlags& flags, const Names& names) {
    if (names.size() != 2) {
        throw Error("a name is needed, and a file (- is standard input)")
            .mend("see 'sctr secret --help'");
    }
    const std::int64_t now = sys::now_usec();
    Secret secret{.name = names.front(), .created_usec = now, .updated_usec = now, .labels = {}};
    for (const std::string& label : flags.labels) {
        const auto [key, value] = split_once(label, '=');
        if (key.empty()) {
            throw bad_value("--label", label, "", "KEY=VALUE");
        }
        secret.labels[key] = value.value_or("");
    }
    const std::string text =
        flags.env ? read_variable(names.back()) : read_secret_file(names.back());
    storage::create_secret(store, std::move(secret), text, flags.replace);
    std::puts(names.front().c_str());
    return 0;
}

nlohmann::ordered_json secret_json(const Secret& secret) {
    return {{"name", secret.name},
            {"created", timestamp(secret.created_usec)},
            {"updated", timestamp(secret.updated_usec)},
            {"labels", secret.labels}};
}

int list(const Store& store, const SecretFlags& flags) {
    auto all = nlohmann::ordered_json::array();
    Table table({"NAME", "CREATED", "UPDATED"});
    std::string names;
    constexpr std::size_t day = 10; // of RFC 3339
    for (const Secret& secret : storage::list_secrets(store)) {
        all.push_back(secret_json(secret));
        table.add({secret.name,
                   timestamp(secret.created_usec).substr(0, day),
                   timestamp(secret.updated_usec).substr(0, day)});
        names += secret.name + '\n';
    }
    const std::string text = flags.quiet  ? names
                             : flags.json ? json_text(all) + '\n'
                                          : table.text();
    std::fputs(text.c_str(), stdout);
    return 0;
}

int inspect(const Store& store, const Names& names) {
    if (names.empty()) {
        throw Error("no secret named").mend("see 'sctr secret ls'");
    }
    auto all = nlohmann::ordered_json::array();
    for (const std::string& name : names) {
        all.push_back(secret_json(storage::describe_secret(store, name)));
    }
    std::puts(json_text(all).c_str());
    return 0;
}

Names every_name(const Store& store) {
    Names names;
    for (const Secret& secret : storage::list_secrets(store)) {
        names.push_back(secret.name);
    }
    return names;
}

} // namespace

int secret_verb(const Words& words) {
    SecretFlags flags;
    CLI::App app("Makes, shows and removes secrets, which 'sctr run --secret' gives to containers.",
                 "sctr secret");
    describe(app,
             "create|ls|inspect|rm [OPTIONS] [NAME...] [FILE|-]",
             {"sctr secret create db-password password.txt",
              "pwgen 32 1 | sctr secret create --replace db-password -",
              "sctr run --secret db-password docker.io/library/postgres"});
    add_texts(app, "--label", flags.labels, "of create: KEY=VALUE");
    add_switch(app, "--replace", flags.replace, "of create: even if there is one of that name");
    add_switch(app, "--env", flags.env, "of create: FILE is the name of a variable");
    add_switch(app, "--json", flags.json, "of ls: as a JSON array");
    add_switch(app, "-q,--quiet", flags.quiet, "of ls: names alone");
    add_switch(app, "-a,--all", flags.all, "of rm: every one");
    Names names = parse_names(app, words);
    const std::string what = names.empty() ? "" : names.front();
    if (!names.empty()) {
        names.erase(names.begin());
    }
    const Store store = Store::own();
    if (what == "create") {
        return create(store, flags, names);
    }
    if (what == "ls" || what == "list") {
        return list(store, flags);
    }
    if (what == "inspect") {
        return inspect(store, names);
    }
    if (what == "rm" || what == "remove") {
        if (flags.all && names.empty()) {
            names = every_name(store);
            if (names.empty()) {
                return 0;
            }
        }
        return for_each_word(
            names, app, [&](const std::string& name) { storage::remove_secret(store, name); });
    }
    throw Error("nothing to do with secrets by that name")
        .at(what)
        .mend("see 'sctr secret --help'");
}

} // namespace sctr::cli
