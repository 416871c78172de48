// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/service.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace sctr::plan {

namespace {

constexpr std::array<std::string_view, 10> suffixes = {".service",
                                                       ".target",
                                                       ".socket",
                                                       ".mount",
                                                       ".automount",
                                                       ".device",
                                                       ".swap",
                                                       ".path",
                                                       ".timer",
                                                       ".scope"};

const char* to_string(Restart restart) {
    switch (restart) {
    case Restart::no:
        return "no";
    case Restart::on_failure:
        return "on-failure";
    case Restart::always:
        return "always";
    }
    return "";
}

/// A '%' is a specifier in unit files. Source: systemd.unit(5), Specifiers.
std::string escaped(const std::string& unit) {
    std::string text;
    for (const char letter : unit) {
        text += letter;
        if (letter == '%') {
            text += letter;
        }
    }
    return text;
}

} // namespace

std::string unit_for(const std::string& word) {
    const bool is_unit = std::ranges::any_of(
        suffixes, [&](std::string_view suffix) { return word.ends_with(suffix); });
    return is_unit ? word : service_name(word);
}

std::string service_drop_in(const ServiceOptions& options) {
    std::string unit;
    for (const std::string& word : options.requisite) {
        const std::string name = escaped(unit_for(word));
        unit += "Requires=" + name + "\nAfter=" + name + "\n";
    }
    for (const std::string& word : options.after) {
        unit += "After=" + escaped(unit_for(word)) + "\n";
    }
    if (options.most_restarts) {
        // Of all starts since the last one by hand (Stored::start), which is the first of them.
        unit += "StartLimitIntervalSec=infinity\nStartLimitBurst=" +
                std::to_string(*options.most_restarts + 1) + "\n";
    }
    if (options.forget) {
        unit += "CollectMode=inactive-or-failed\n";
    }
    std::string text;
    if (!unit.empty()) {
        text += "[Unit]\n" + unit;
    }
    std::string service;
    if (options.restart != Restart::no) {
        service += std::string("Restart=") + to_string(options.restart) + "\n";
    }
    for (const std::string& credential : options.credentials) {
        service += "LoadCredential=" + escaped(credential) + "\n";
    }
    if (!service.empty()) {
        text += "[Service]\n" + service;
    }
    if (text.empty()) {
        return text;
    }
    return "# Written by sctr, and removed by `sctr rm`. Changes belong into a file of their own:\n"
           "# `systemctl edit` makes one.\n" +
           text;
}

} // namespace sctr::plan
