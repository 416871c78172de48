// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/template_functions.hpp"

#include <algorithm>
#include <array>
#include <format>
#include <limits>

#include "base/strings.hpp"
#include "cli/template_printf.hpp"

namespace sctr::cli::go_template {
namespace {

constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

const std::string& text_in(const Json& value, std::string_view what) {
    if (!value.is_string()) {
        throw Refusal{std::string(what) + " is " + kind_of(value) + ", and no string"};
    }
    return value.get_ref<const std::string&>();
}

/// Below, equal, above: -1, 0, 1.
template <typename T> int order(const T& a, const T& b) {
    return a < b ? -1 : static_cast<int>(b < a);
}

int order_of(const Json& a, const Json& b) {
    if (a.is_number_integer() && b.is_number_integer()) {
        return order(a.get<std::int64_t>(), b.get<std::int64_t>());
    }
    if (a.is_number() && b.is_number()) {
        return order(a.get<double>(), b.get<double>());
    }
    if (a.is_string() && b.is_string()) {
        return order(a.get_ref<const std::string&>(), b.get_ref<const std::string&>());
    }
    throw Refusal{kind_of(a) + " and " + kind_of(b) + " cannot be compared"};
}

bool is_equal(const Json& a, const Json& b) {
    if (a.is_null() || b.is_null() || (a.is_boolean() && b.is_boolean())) {
        return a == b;
    }
    return order_of(a, b) == 0;
}

Json equal_to_any(Arguments all) {
    return std::ranges::any_of(all.subspan(1),
                               [&](const Json* each) { return is_equal(*all.front(), *each); });
}

std::size_t place_in(const Json& list, const Json& index) {
    if (!index.is_number_integer()) {
        throw Refusal{"a list has numbers for its places, and no " + kind_of(index).substr(2)};
    }
    const auto place = index.get<std::int64_t>();
    if (place < 0 || static_cast<std::uint64_t>(place) >= list.size()) {
        throw Refusal{"the list has " + std::to_string(list.size()) +
                      " values, from 0 on, and no " + std::to_string(place)};
    }
    return static_cast<std::size_t>(place);
}

/// Of an object that has no such key nothing, as there is nothing in what is nothing.
Json value_at(Arguments all) {
    const Json* value = all.front();
    for (const Json* const index : all.subspan(1)) {
        if (value->is_null()) {
            break;
        }
        if (value->is_array()) {
            value = &(*value)[place_in(*value, *index)];
        } else if (value->is_object()) {
            const auto found = value->find(text_in(*index, "the key"));
            if (found == value->end()) {
                return nullptr;
            }
            value = &*found;
        } else {
            throw Refusal{kind_of(*value) + " has nothing in it"};
        }
    }
    return *value;
}

Json length(Arguments all) {
    const Json& value = *all.front();
    if (value.is_string()) {
        return value.get_ref<const std::string&>().size();
    }
    if (value.is_array() || value.is_object() || value.is_null()) {
        return value.size();
    }
    throw Refusal{kind_of(value) + " has no length"};
}

Json joined(Arguments all) {
    if (!all[0]->is_array() && !all[0]->is_null()) {
        throw Refusal{"what is to be joined is " + kind_of(*all[0]) + ", and no list"};
    }
    std::vector<std::string> parts;
    for (const Json& each : *all[0]) {
        parts.push_back(text_of(each));
    }
    return sctr::join(parts, text_in(*all[1], "what stands between"));
}

Json parts_of(Arguments all) {
    std::string_view text = text_in(*all[0], "what is to be split");
    const std::string& separator = text_in(*all[1], "what to split at");
    if (separator.empty()) {
        throw Refusal{"what to split at is empty"};
    }
    auto parts = Json::array();
    for (std::size_t at = text.find(separator); at != std::string_view::npos;
         at = text.find(separator)) {
        parts.push_back(std::string(text.substr(0, at)));
        text.remove_prefix(at + separator.size());
    }
    parts.push_back(std::string(text));
    return parts;
}

char to_upper(char letter) {
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
}

Json in_capitals(Arguments all) {
    std::string text = text_of(*all.front());
    std::ranges::transform(text, text.begin(), to_upper);
    return text;
}

Json titled(Arguments all) {
    std::string text = text_of(*all.front());
    bool begins = true;
    for (char& letter : text) {
        letter = begins ? to_upper(letter) : letter;
        begins = letter == ' ' || letter == '\t' || letter == '\n' || letter == '-';
    }
    return text;
}

/// Blanks between all, or (print) between those of which neither is a string.
std::string printed(Arguments all, bool always_apart) {
    std::string text;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool apart =
            always_apart || (i > 0 && !all[i]->is_string() && !all[i - 1]->is_string());
        text += i > 0 && apart ? " " : "";
        text += text_of(*all[i]);
    }
    return text;
}

Json as_json(Arguments all) {
    return escape_json_controls(all.front()->dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json formatted(Arguments all) {
    return format_values(text_in(*all.front(), "the format"), all.subspan(1));
}

Json all_of(Arguments all) {
    const auto found = std::ranges::find_if(all, [](const Json* each) { return !is_true(*each); });
    return found == all.end() ? *all.back() : **found;
}

Json any_of(Arguments all) {
    const auto found = std::ranges::find_if(all, [](const Json* each) { return is_true(*each); });
    return found == all.end() ? *all.back() : **found;
}

constexpr std::array functions = {
    Function{"and", 1, any_number, all_of},
    Function{"eq", 2, any_number, equal_to_any},
    Function{"ge", 2, 2, [](Arguments all) -> Json { return order_of(*all[0], *all[1]) >= 0; }},
    Function{"gt", 2, 2, [](Arguments all) -> Json { return order_of(*all[0], *all[1]) > 0; }},
    Function{"index", 1, any_number, value_at},
    Function{"join", 2, 2, joined},
    Function{"json", 1, 1, as_json},
    Function{"le", 2, 2, [](Arguments all) -> Json { return order_of(*all[0], *all[1]) <= 0; }},
    Function{"len", 1, 1, length},
    Function{"lower", 1, 1, [](Arguments all) -> Json { return to_lower(text_of(*all[0])); }},
    Function{"lt", 2, 2, [](Arguments all) -> Json { return order_of(*all[0], *all[1]) < 0; }},
    Function{"ne", 2, 2, [](Arguments all) -> Json { return !is_equal(*all[0], *all[1]); }},
    Function{"not", 1, 1, [](Arguments all) -> Json { return !is_true(*all[0]); }},
    Function{"or", 1, any_number, any_of},
    Function{"print", 0, any_number, [](Arguments all) -> Json { return printed(all, false); }},
    Function{"printf", 1, any_number, formatted},
    Function{
        "println", 0, any_number, [](Arguments all) -> Json { return printed(all, true) + '\n'; }},
    Function{"split", 2, 2, parts_of},
    Function{"title", 1, 1, titled},
    Function{"upper", 1, 1, in_capitals},
};

} // namespace

const Function* find_function(std::string_view name) {
    const auto* const found = std::ranges::find(functions, name, &Function::name);
    return found == functions.end() ? nullptr : found;
}

std::string function_names() {
    std::vector<std::string> names(functions.size());
    std::ranges::transform(
        functions, names.begin(), [](const Function& each) { return std::string(each.name); });
    return sctr::join(names, ", ");
}

std::vector<std::string> sorted_keys(const Json& object) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : object.items()) {
        keys.push_back(key);
    }
    std::ranges::sort(keys);
    return keys;
}

std::string text_of(const Json& value) {
    std::vector<std::string> parts;
    switch (value.type()) {
    case Json::value_t::null:
    case Json::value_t::discarded:
    case Json::value_t::binary: // what was made of text has none of these two
        return "";
    case Json::value_t::string:
        return value.get<std::string>();
    case Json::value_t::boolean:
        return value.get<bool>() ? "true" : "false";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
        return value.dump();
    case Json::value_t::number_float:
        return std::format("{}", value.get<double>());
    case Json::value_t::array:
        for (const Json& each : value) {
            parts.push_back(text_of(each));
        }
        return "[" + sctr::join(parts, " ") + "]";
    case Json::value_t::object:
        for (const std::string& key : sorted_keys(value)) {
            parts.push_back(key + ":" + text_of(value.at(key)));
        }
        return "map[" + sctr::join(parts, " ") + "]";
    }
    return "";
}

bool is_true(const Json& value) {
    if (value.is_boolean()) {
        return value.get<bool>();
    }
    if (value.is_number()) {
        return value.get<double>() != 0;
    }
    return value.is_string() ? !value.get_ref<const std::string&>().empty() : !value.empty();
}

std::string kind_of(const Json& value) {
    if (value.is_null()) {
        return "nothing";
    }
    if (value.is_number()) {
        return "a number";
    }
    if (value.is_boolean()) {
        return "a truth value";
    }
    return value.is_string() ? "a string" : value.is_array() ? "a list" : "a map";
}

} // namespace sctr::cli::go_template
