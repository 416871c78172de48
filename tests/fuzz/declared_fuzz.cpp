// SPDX-License-Identifier: LGPL-2.1-or-later
// Files NAME.container: whatever they hold, their units are what systemd can read.
#include <string>

#include "base/strings.hpp"
#include "declared/service.hpp"
#include "declared/unit_file.hpp"
#include "fuzz.hpp"

namespace sctr::fuzz {
namespace {

void check_words(const std::string& text) {
    if (const auto words = declared::split_words(text)) {
        std::vector<std::string> quoted;
        for (const std::string& word : *words) {
            quoted.push_back(declared::quote_word(word));
        }
        check(declared::split_words(join(quoted, " ")) == words, "words come back");
    }
}

void check_service(const declared::Service& service) {
    if (!service.problems.empty()) {
        return;
    }
    check(valid_utf8(service.text) == service.text, "a unit is UTF-8");
    check(service.text.find('\0') == std::string::npos, "a unit has no NUL");
    std::vector<declared::Problem> problems;
    int commands = 0;
    for (const auto& entry : declared::parse_unit_file(service.text, "unit", problems)) {
        if (entry.key == "ExecStart" && entry.section == "Service") {
            ++commands;
            check(declared::split_words(entry.value).has_value(), "quotes are closed");
        }
    }
    check(problems.empty(), "a unit is one");
    check(commands == 1, "a unit has one command");
    for (const auto& link : service.links) {
        check(!("/" + link.path + "/").contains("/../"), "a link stays where it is made");
    }
}

} // namespace
} // namespace sctr::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sctr;
    const std::string text(fuzz::text_of(data, size));
    fuzz::check_words(text.substr(0, text.find('\0'))); // a file with NUL is refused before
    for (const char* path : {"/etc/sctr/web.container", "/etc/sctr/web@.container"}) {
        fuzz::check_service(
            declared::make_service({{.path = path, .text = text}}, "/usr/bin/sctr"));
    }
    return 0;
}
