// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace sctr::oci {
namespace {

using nlohmann::json;

/// "line 3, column 14" of a byte of the text.
std::string line_and_column(std::string_view text, std::size_t byte) {
    const auto before = text.substr(0, byte);
    const auto line = std::ranges::count(before, '\n') + 1;
    const auto line_start = before.rfind('\n') + 1; // npos + 1 is 0
    return "line " + std::to_string(line) + ", column " +
           std::to_string(before.size() - line_start + 1);
}

/// The reason in a parse error of nlohmann/json, without its prefix of class, line and column.
std::string reason_of(const json::exception& error) {
    std::string_view text = error.what();
    for (const std::string_view mark : {"] ", "column "}) {
        const auto found = text.find(mark);
        text.remove_prefix(found == std::string_view::npos ? 0 : found + mark.size());
    }
    const auto reason = text.find(": ");
    return std::string(reason == std::string_view::npos ? text : text.substr(reason + 2));
}

json parse_text(std::string_view text, const std::string& what_failed) {
    const auto limit_depth = [&what_failed](int depth, json::parse_event_t event, json&) {
        const bool opens =
            event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
        if (opens && depth >= max_json_depth) {
            throw Error(what_failed)
                .because("nested deeper than " + std::to_string(max_json_depth) + " levels");
        }
        return true;
    };
    try {
        return json::parse(text, limit_depth);
    } catch (const json::parse_error& error) {
        const auto byte = error.byte == 0 ? 0 : error.byte - 1;
        throw Error(what_failed).at(line_and_column(text, byte)).because(reason_of(error));
    } catch (const json::exception& error) {
        throw Error(what_failed).because(reason_of(error));
    }
}

/// A value for an error message, short enough to read.
std::string show(const json& value) {
    constexpr std::size_t longest = 60;
    if (value.is_object()) {
        return "an object";
    }
    if (value.is_array()) {
        return "an array";
    }
    auto text = value.dump(-1, ' ', true);
    if (text.size() > longest) {
        text.resize(longest);
        text += "...";
    }
    return (value.is_string() ? "string " : value.is_number() ? "number " : "") + text;
}

} // namespace

std::string_view of_bounded_size(std::string_view text, const char* what_failed) {
    if (text.size() > max_json_bytes) {
        throw Error(what_failed).because("longer than 8 MiB");
    }
    return text;
}

JsonDocument::JsonDocument(std::string_view text, std::string what_failed)
    : what_failed_(std::move(what_failed)),
      value_(std::make_unique<json>(parse_text(text, what_failed_))) {}

JsonDocument::~JsonDocument() = default;

JsonNode JsonDocument::root() const {
    return {*value_, Place(), what_failed_};
}

void JsonNode::fail(std::string_view expected) const {
    throw Error(*what_failed_)
        .at(place_.pointer())
        .because("expected " + std::string(expected) + ", found " + show(*value_));
}

void JsonNode::fail_missing(std::string_view key) const {
    throw Error(*what_failed_).at(Place(place_, key).pointer()).because("required, and missing");
}

void JsonNode::require_object() const {
    if (!value_->is_object()) {
        fail("an object");
    }
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
    require_object();
    const auto member = value_->find(key);
    if (member == value_->end() || member->is_null()) {
        return std::nullopt;
    }
    return JsonNode(*member, Place(place_, key), *what_failed_);
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
    require_object();
    std::vector<std::pair<std::string, JsonNode>> found;
    for (const auto& [key, value] : value_->get_ref<const json::object_t&>()) {
        if (key.contains('\0')) {
            fail("names without NUL characters");
        }
        if (!value.is_null()) {
            found.emplace_back(key, JsonNode(value, Place(place_, key), *what_failed_));
        }
    }
    return found;
}

std::vector<JsonNode> JsonNode::elements() const {
    if (!value_->is_array()) {
        fail("an array");
    }
    std::vector<JsonNode> found;
    found.reserve(value_->size());
    for (const auto& element : *value_) {
        found.push_back(JsonNode(element, Place(place_, found.size()), *what_failed_));
    }
    return found;
}

bool JsonNode::boolean() const {
    if (!value_->is_boolean()) {
        fail("true or false");
    }
    return value_->get<bool>();
}

std::string JsonNode::string() const {
    if (!value_->is_string()) {
        fail("a string");
    }
    const auto& text = value_->get_ref<const std::string&>();
    if (text.contains('\0')) {
        fail("a string without NUL characters");
    }
    return text;
}

std::int64_t JsonNode::integer(std::int64_t lowest, std::int64_t highest) const {
    const auto* const natural = value_->get_ptr<const json::number_unsigned_t*>();
    const bool fits =
        natural != nullptr
            ? std::cmp_less_equal(*natural, highest) && std::cmp_greater_equal(*natural, lowest)
            : value_->is_number_integer() && value_->get<std::int64_t>() >= lowest &&
                  value_->get<std::int64_t>() <= highest;
    if (!fits) {
        fail("an integer from " + std::to_string(lowest) + " to " + std::to_string(highest));
    }
    return value_->get<std::int64_t>();
}

std::uint64_t JsonNode::unsigned_integer(std::uint64_t highest) const {
    // "-0" is a signed number to nlohmann/json.
    const bool is_natural = value_->is_number_unsigned() ||
                            (value_->is_number_integer() && value_->get<std::int64_t>() >= 0);
    if (!is_natural || value_->get<std::uint64_t>() > highest) {
        fail("an integer from 0 to " + std::to_string(highest));
    }
    return value_->get<std::uint64_t>();
}

std::string quote_json(const std::string& text) {
    return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace sctr::oci
