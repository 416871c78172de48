// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

/// Go's templates, as docker and podman take them at --format, over JSON. Pure.
namespace sctr::cli {

namespace go_template {
struct Node;
}

/// A template that has been read. Source: Go, text/template; docker, "Format command and log
/// output".
///
/// There are `{{.}}`, `{{.A.B}}`, variables, pipes, if, with, range, the comparisons, and, or, not,
/// index, len, print, println, printf, and docker's json, join, split, upper, lower, title. Names
/// match exactly, or else ignoring case; one that is not there is an error, but of what has keys of
/// its own (labels, networks, ...) there is nothing then. Nothing prints as nothing.
class Template {
  public:
    /// Throws Error that names the place in the text and why. `\n` and `\t` outside of actions are
    /// a new line and a tab, as in docker.
    explicit Template(std::string text);

    enum class Output {
        plain,
        terminal, ///< control characters in values, but for new lines and tabs, are escaped
    };

    /// The text for `data`. Throws Error that names the place, why and what is known; also when it
    /// gets larger, or takes longer, than anybody can have meant.
    [[nodiscard]] std::string render(const nlohmann::ordered_json& data,
                                     Output output = Output::plain) const;

    /// The headings for a table: the text with the last name of each action, in capitals, in its
    /// place ("CREATED AT").
    [[nodiscard]] std::string heading() const;

  private:
    std::string text_;
    std::shared_ptr<const std::vector<go_template::Node>> nodes_;
};

} // namespace sctr::cli
