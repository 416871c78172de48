// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sctr::oci {

/// A place in a JSON document, as a chain of steps from its root.
///
/// Only borrows its parent and its key, so that walking a document costs nothing; the JSON pointer
/// is put together when an error needs it.
class Place {
  public:
    Place() = default;

    Place(const Place& parent, std::string_view key) : parent_(&parent), key_(key) {}

    Place(const Place& parent, std::size_t index)
        : parent_(&parent), index_(index), is_index_(true) {}

    /// The JSON pointer (RFC 6901): "/linux/namespaces/0/type"; "" for the root.
    [[nodiscard]] std::string pointer() const;

  private:
    const Place* parent_ = nullptr;
    std::string_view key_;
    std::size_t index_ = 0;
    bool is_index_ = false;
};

} // namespace sctr::oci
