// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oci/place.hpp"

/// Strict, typed access to JSON text. json.cpp alone includes nlohmann/json, which is slow to
/// compile.
namespace sctr::oci {

/// How deep arrays and objects may be nested; the spec needs 8.
inline constexpr int max_json_depth = 256;

/// How long a text from outside may be, in bytes: the kernel takes no more than 6 MiB of arguments
/// and environment, which is what makes a config.json long. Its values take up to 30 times as much
/// memory.
inline constexpr std::size_t max_json_bytes = std::size_t{8} << 20U;

/// The text; throws Error(what_failed) where it is longer than max_json_bytes.
std::string_view of_bounded_size(std::string_view text, const char* what_failed);

/// A value in a document, with its place. Borrows the document and the node it was found in.
///
/// What is read with the wrong type or range throws Error with the JSON pointer, what was found
/// and what is expected.
class JsonNode {
  public:
    /// The member of this object; nothing if it is absent or null.
    [[nodiscard]] std::optional<JsonNode> find(std::string_view key) const;
    /// Throws unless this is an object.
    void require_object() const;
    /// The members of this object that are not null.
    [[nodiscard]] std::vector<std::pair<std::string, JsonNode>> members() const;
    /// The elements of this array.
    [[nodiscard]] std::vector<JsonNode> elements() const;

    [[nodiscard]] bool boolean() const;
    /// A string without NUL characters: all of them become C strings sooner or later.
    [[nodiscard]] std::string string() const;
    [[nodiscard]] std::int64_t integer(std::int64_t lowest, std::int64_t highest) const;
    [[nodiscard]] std::uint64_t unsigned_integer(std::uint64_t highest) const;

    [[noreturn]] void fail(std::string_view expected) const;
    [[noreturn]] void fail_missing(std::string_view key) const;

  private:
    friend class JsonDocument;

    JsonNode(const nlohmann::json& value, Place place, const std::string& what_failed)
        : value_(&value), place_(place), what_failed_(&what_failed) {}

    const nlohmann::json* value_;
    Place place_;
    const std::string* what_failed_;
};

/// Parsed JSON text.
class JsonDocument {
  public:
    /// Throws Error(what_failed) with line and column when the text is not JSON, or nested deeper
    /// than max_json_depth.
    JsonDocument(std::string_view text, std::string what_failed);
    ~JsonDocument();
    JsonDocument(const JsonDocument&) = delete;
    JsonDocument& operator=(const JsonDocument&) = delete;

    [[nodiscard]] JsonNode root() const;

  private:
    std::string what_failed_;
    std::unique_ptr<nlohmann::json> value_;
};

/// The text as a JSON string with its quotes; what is not UTF-8 becomes U+FFFD.
std::string quote_json(const std::string& text);

} // namespace sctr::oci
