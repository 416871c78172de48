// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/output_format.hpp"

#include <unistd.h>

#include <cstdio>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/record_json.hpp"
#include "cli/table.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

constexpr std::string_view table_prefix = "table ";

/// A cell for each tab.
std::vector<std::string> cells_of(const std::string& line) {
    return split(line, '\t');
}

} // namespace

OutputFormat::OutputFormat(const std::optional<std::string>& text, bool json, bool quiet)
    : json_(json) {
    if (!text) {
        return;
    }
    if (json || quiet) {
        throw Error("two ways to show it")
            .at("--format")
            .because(json ? "--json is one, too" : "--quiet is one, too")
            .mend("give one of them");
    }
    if (*text == "json" || *text == "table") {
        json_ = *text == "json";
        return;
    }
    if (!text->contains("{{")) {
        throw bad_value("--format",
                        *text,
                        "",
                        "json, table, or a template such as '{{.Name}}' or 'table "
                        "{{.Name}}\\t{{.Created}}'");
    }
    table_ = text->starts_with(table_prefix);
    template_.emplace(table_ ? text->substr(table_prefix.size()) : *text);
}

void OutputFormat::refuse_table() const {
    if (table_) {
        throw Error("columns need an end")
            .at("--format")
            .because("how wide they are is known when there is no more to come")
            .mend("give the template without 'table', and tabs in it");
    }
}

std::string OutputFormat::lines(const std::vector<nlohmann::ordered_json>& views) const {
    if (table_) {
        Table table(cells_of(template_->heading()));
        for (const auto& view : views) {
            table.add(cells_of(template_->render(view)));
        }
        return table.text();
    }
    const auto output =
        ::isatty(STDOUT_FILENO) == 1 ? Template::Output::terminal : Template::Output::plain;
    std::string text;
    for (const auto& view : views) {
        text += template_->render(view, output) + '\n';
    }
    return text;
}

void show_inspected(const nlohmann::ordered_json& found,
                    const OutputFormat& format,
                    nlohmann::ordered_json (*view)(nlohmann::ordered_json)) {
    if (!format.is_template()) {
        std::puts(json_text(found).c_str());
        return;
    }
    std::vector<nlohmann::ordered_json> views;
    for (const auto& each : found) {
        views.push_back(view(each));
    }
    std::fputs(format.lines(views).c_str(), stdout);
}

void show_list(const nlohmann::ordered_json& found,
               const OutputFormat& format,
               nlohmann::ordered_json (*view)(nlohmann::ordered_json),
               const std::string& text) {
    if (format.is_template() || format.is_json()) {
        show_inspected(found, format, view);
    } else {
        std::fputs(text.c_str(), stdout);
    }
}

void add_format(CLI::App& app, const std::string& names, std::optional<std::string>& format) {
    add_text(app,
             names,
             format,
             "json, table, or a Go template as in docker and podman: '{{.Name}}', "
             "'table {{.Name}}\\t{{.Created}}', '{{json .}}'");
}

} // namespace sctr::cli
