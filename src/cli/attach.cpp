// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/attach.hpp"

#include <unistd.h>

#include <cstdio>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "container/id.hpp"
#include "container/record_store.hpp"

namespace sctr::cli {
namespace {

/// "ctrl-p,ctrl-q" as what a terminal sends for it.
std::string parse_keys(const std::string& text) {
    constexpr std::string_view control = "ctrl-";
    std::string keys;
    for (const std::string& key : text.empty() ? std::vector<std::string>() : split(text, ',')) {
        const bool is_control = key.starts_with(control) && key.size() == control.size() + 1;
        const char letter = key.empty() ? '\0' : key.back();
        const bool has_control =
            (letter >= 'a' && letter <= 'z') || (letter >= '@' && letter <= '_');
        if (is_control && has_control) {
            keys += static_cast<char>(letter & 0x1f);
        } else if (key.size() == 1) {
            keys += letter;
        } else {
            throw bad_value("--detach-keys",
                            text,
                            "",
                            "keys with commas between them, each a letter or ctrl-LETTER");
        }
    }
    return keys;
}

} // namespace

int attach_verb(const Words& words) {
    std::optional<std::string> keys;
    bool no_input = false;
    CLI::App app("Connects this terminal with a container's, until it ends or the keys are typed.",
                 "sctr attach");
    describe(app, "[OPTIONS] NAME", {"sctr attach web", "sctr attach --detach-keys ctrl-] web"});
    add_text(app, "--detach-keys", keys, "leave it running (default: ctrl-p,ctrl-q)");
    add_switch(app, "--no-stdin", no_input, "only look on");
    const auto names = parse_names(app, words);
    if (names.size() != 1) {
        throw Error("one container can be attached to").mend("see 'sctr attach --help'");
    }
    container::check_id(names.front());
    const container::AttachOptions options{
        .input = !no_input, .detach_keys = parse_keys(keys.value_or("ctrl-p,ctrl-q"))};
    const container::RecordStore store(container::RecordStore::default_root());
    const container::Record record = store.load(names.front());
    const std::string directory = store.root() + "/" + record.id;
    if (container::current_status(record) == container::Status::stopped) {
        throw Error("container not running").at(record.id).mend("sctr start " + record.id);
    }
    if (::access((directory + "/" + container::attach_socket).c_str(), F_OK) != 0) {
        throw Error("cannot attach to the container")
            .at(record.id)
            .because("it runs in the foreground, or without a terminal")
            .mend("'journalctl -f -u " + record.unit + "' shows its output; -d -t gives it a " +
                  "terminal to attach to");
    }
    const container::AttachOutcome outcome = container::attach(directory, options);
    return outcome.exit_status;
}

} // namespace sctr::cli
