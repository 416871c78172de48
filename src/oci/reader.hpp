// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "oci/json.hpp"
#include "oci/names.hpp"

namespace sctr::oci {

/// Reads the members of one JSON object into a struct, by its table `fields()`.
class Reader {
  public:
    explicit Reader(const JsonNode& object) : object_(object) { object_.require_object(); }

    template <typename T> void required(std::string_view name, T& value) {
        const auto node = object_.find(name);
        if (!node) {
            object_.fail_missing(name);
        }
        read(*node, value);
    }

    template <typename T> void optional(std::string_view name, T& value) {
        if (const auto node = object_.find(name)) {
            read(*node, value);
        }
    }

    template <typename T> void always(std::string_view name, T& value) { optional(name, value); }

    template <typename T>
    void wrapped(std::string_view outer, std::string_view inner, std::optional<T>& value) {
        if (const auto node = object_.find(outer)) {
            Reader(*node).optional(inner, value);
        }
    }

  private:
    static void read(const JsonNode& node, bool& value) { value = node.boolean(); }

    static void read(const JsonNode& node, std::string& value) { value = node.string(); }

    static void read(const JsonNode& node, NamespaceType& value) {
        const auto type = parse_namespace_type(node.string());
        if (!type) {
            std::string expected = "one of";
            for (const auto known : all_namespace_types) {
                expected += std::string(" ") + to_string(known);
            }
            node.fail(expected);
        }
        value = *type;
    }

    template <std::signed_integral T> static void read(const JsonNode& node, T& value) {
        using Limits = std::numeric_limits<T>;
        value = static_cast<T>(node.integer(Limits::min(), Limits::max()));
    }

    template <std::unsigned_integral T> static void read(const JsonNode& node, T& value) {
        value = static_cast<T>(node.unsigned_integer(std::numeric_limits<T>::max()));
    }

    template <typename T> static void read(const JsonNode& node, std::optional<T>& value) {
        read(node, value.emplace());
    }

    template <typename T> static void read(const JsonNode& node, std::vector<T>& values) {
        for (const auto& element : node.elements()) {
            read(element, values.emplace_back());
        }
    }

    template <typename T> static void read(const JsonNode& node, std::map<std::string, T>& values) {
        for (const auto& [name, member] : node.members()) {
            read(member, values[name]);
        }
    }

    template <typename T>
        requires std::is_class_v<T>

    static void read(const JsonNode& node, T& value) {
        Reader reader(node);
        fields(reader, value);
    }

    const JsonNode& object_;
};

/// The struct that a JSON text says. Throws Error(what_failed) with the JSON pointer.
template <typename T> T parse_as(std::string_view json, const char* what_failed) {
    const JsonDocument document(json, what_failed);
    const auto root = document.root();
    Reader reader(root);
    T value;
    fields(reader, value);
    return value;
}

} // namespace sctr::oci
