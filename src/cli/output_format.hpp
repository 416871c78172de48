// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/template.hpp"

namespace CLI {
class App;
}

namespace sctr::cli {

/// How a verb's answer is to look: the flags --format, --json and --quiet, and what they mean.
class OutputFormat {
  public:
    /// `json` and `quiet` are flags that are given beside `text`, the value of --format. Throws
    /// Error when it is neither json, table, a template, nor a template behind "table ", or when
    /// two of the flags say different things.
    OutputFormat(const std::optional<std::string>& text, bool json, bool quiet = false);

    [[nodiscard]] bool is_json() const { return json_; }

    [[nodiscard]] bool is_template() const { return template_.has_value(); }

    /// Throws Error for a table with columns of its own: what goes on has no widest line.
    void refuse_table() const;

    /// A line for each view; of a table all in columns, under headings. Throws Error.
    [[nodiscard]] std::string lines(const std::vector<nlohmann::ordered_json>& views) const;

  private:
    bool json_ = false;
    bool table_ = false;
    std::optional<Template> template_;
};

/// Prints what an `inspect` has found: a JSON array, or of a template a line for `view` of each.
/// `view` is a function of template_views.hpp. Throws Error before anything is printed.
void show_inspected(const nlohmann::ordered_json& found,
                    const OutputFormat& format,
                    nlohmann::ordered_json (*view)(nlohmann::ordered_json));

/// Prints what an `ls` has found: as JSON or by a template, or else `text`.
void show_list(const nlohmann::ordered_json& found,
               const OutputFormat& format,
               nlohmann::ordered_json (*view)(nlohmann::ordered_json),
               const std::string& text);

/// Adds --format, with `names` such as "-f,--format".
void add_format(CLI::App& app, const std::string& names, std::optional<std::string>& format);

} // namespace sctr::cli
