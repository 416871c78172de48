// SPDX-License-Identifier: LGPL-2.1-or-later
// Templates of --format, over data of every kind.
#include <string>

#include "cli/template.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using sctr::cli::Template;
    static const auto data = nlohmann::ordered_json::parse(R"json({
        "a": "text", "n": 7, "f": 1.5, "t": true, "z": null, "e": "",
        "l": [1, "b", [], {"c": 2}], "labels": {"x": "1", "A": "\u001b"}, "o": {"p": {"q": 0}}
    })json");
    sctr::fuzz::accepts([&] {
        const Template read(std::string(sctr::fuzz::text_of(bytes, size)));
        (void)read.heading();
        const std::string text = read.render(data);
        sctr::fuzz::check(text.size() <= 16UL << 20U, "what is made has a bound");
        sctr::fuzz::check(text == read.render(data), "the same data give the same text");
        (void)read.render(data, Template::Output::terminal);
    });
    return 0;
}
