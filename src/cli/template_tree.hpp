// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

/// What a template is made of. `at` is always a place in its text, in bytes.
namespace sctr::cli::go_template {

using Json = nlohmann::ordered_json;

struct Token {
    enum class Kind { chain, word, literal, open, close, pipe, declare, assign, comma, end };
    Kind kind = Kind::end;
    std::size_t at = 0;
    bool spaced = false;              ///< there is something between it and the one before
    std::string text{};               ///< of a word; of a chain its variable ("$x") or nothing
    std::vector<std::string> names{}; ///< of a chain: of ".A.B" two, of "." none
    Json literal{};
};

/// Text, or the tokens of an action.
struct Segment {
    bool is_text = true;
    std::size_t at = 0;
    std::string text{};
    std::vector<Token> tokens{};
};

struct Pipeline;

/// A value and the names that lead into it.
struct Operand {
    enum class Kind { dot, variable, literal, group, call };
    Kind kind = Kind::dot;
    std::size_t at = 0;
    std::string variable{}; ///< "$", "$x"; of a call the function
    Json literal{};
    std::shared_ptr<const Pipeline> group{};
    std::vector<std::string> names{};
};

struct Command {
    std::size_t at = 0;
    std::string function{}; ///< empty: the first operand is the value
    std::vector<Operand> operands{};
};

struct Pipeline {
    std::size_t at = 0;
    std::vector<std::string> variables{}; ///< that it sets
    bool declares = false;                ///< and makes
    std::vector<Command> commands{};
};

struct Node {
    enum class Kind { text, action, condition, range, with };
    Kind kind = Kind::text;
    std::string text{};
    Pipeline pipeline{};
    std::vector<Node> body{};
    std::vector<Node> otherwise{};
};

/// An error in the template at that place.
Error error_at(std::string_view text, std::size_t at, std::string_view why);

/// The segments of a text, with what trim markers and comments take away. Throws Error.
std::vector<Segment> read_segments(std::string_view text);

/// The tree. Throws Error.
std::vector<Node> parse(std::string_view text);

} // namespace sctr::cli::go_template
