// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/template_tree.hpp"

/// The functions of templates. Source: Go, text/template, Functions; docker, "Format command and
/// log output".
namespace sctr::cli::go_template {

/// Why something cannot be done, for who knows where that is in the template.
struct Refusal {
    std::string why;
};

/// What a function is called with: `and` and `or` are the evaluator's, as they need not look at
/// all of it.
using Arguments = std::span<const Json* const>;

struct Function {
    std::string_view name;
    std::size_t least; ///< arguments
    std::size_t most;
    /// Throws Refusal when it cannot be done with these.
    Json (*call)(Arguments arguments);
};

/// Nothing when there is none of that name.
const Function* find_function(std::string_view name);

/// Every name, for errors.
std::string function_names();

/// As Go prints it with %v: a list as "[a b]", a map as "map[a:1 b:2]" in the order of its keys;
/// nothing as nothing.
std::string text_of(const Json& value);

/// What if, with, and, or, not take for true: what is not empty, zero, false or nothing.
bool is_true(const Json& value);

/// "a string", "a number", "nothing", ...
std::string kind_of(const Json& value);

/// The keys of an object in order, as Go ranges over a map.
std::vector<std::string> sorted_keys(const Json& object);

} // namespace sctr::cli::go_template
