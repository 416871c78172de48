// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

namespace sctr::systemd {

/// An entry of the journal on its way there, encoded as journald takes it. Pure.
/// Source: systemd's "Native Journal Protocol".
class JournalEntry {
  public:
    /// Adds a field; any bytes may be in its value. A name may be there more than once.
    JournalEntry& add(std::string_view name, std::string_view value);

    /// Adds a field unless its value is empty.
    JournalEntry& add_if(std::string_view name, std::string_view value);

    [[nodiscard]] const std::string& bytes() const { return bytes_; }

  private:
    std::string bytes_;
};

} // namespace sctr::systemd
