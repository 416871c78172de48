// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "oci/json.hpp"
#include "oci/names.hpp"

namespace sctr::oci {

/// Writes the members of one object.
class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) { out_ += '{'; }

    ~Writer() { out_ += '}'; }

    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    template <typename T> void required(std::string_view name, const T& value) {
        key(name);
        write(value);
    }

    template <typename T> void always(std::string_view name, const T& value) {
        required(name, value);
    }

    template <typename T> void optional(std::string_view name, const T& value) {
        if (!is_absent(value)) {
            required(name, value);
        }
    }

    template <typename T>
    void wrapped(std::string_view outer, std::string_view inner, const std::optional<T>& value) {
        if (value) {
            key(outer);
            Writer(out_).required(inner, *value);
        }
    }

  private:
    template <typename T> static bool is_absent(const std::optional<T>& value) { return !value; }

    template <typename T> static bool is_absent(const T& value) { return value == T{}; }

    void key(std::string_view name) {
        if (!out_.ends_with('{')) {
            out_ += ',';
        }
        out_ += quote_json(std::string(name)) + ':';
    }

    void write(bool value) { out_ += value ? "true" : "false"; }

    void write(const std::string& value) { out_ += quote_json(value); }

    void write(NamespaceType value) { out_ += quote_json(to_string(value)); }

    void write(std::integral auto value) { out_ += std::to_string(value); }

    template <typename T> void write(const std::optional<T>& value) { write(*value); }

    template <typename T> void write(const std::vector<T>& values) {
        out_ += '[';
        for (const auto& value : values) {
            if (!out_.ends_with('[')) {
                out_ += ',';
            }
            write(value);
        }
        out_ += ']';
    }

    template <typename T> void write(const std::map<std::string, T>& values) {
        Writer object(out_);
        for (const auto& [name, value] : values) {
            object.required(name, value);
        }
    }

    template <typename T>
        requires std::is_class_v<T>

    void write(const T& value) {
        Writer object(out_);
        fields(object, value);
    }

    std::string& out_;
};

/// A struct as JSON text, by its table `fields()`.
template <typename T> std::string serialize_object(const T& value) {
    std::string out;
    {
        Writer object(out);
        fields(object, value);
    }
    return out;
}

} // namespace sctr::oci
