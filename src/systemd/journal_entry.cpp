// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/journal_entry.hpp"

#include <endian.h>

#include <cstdint>

namespace sctr::systemd {

JournalEntry& JournalEntry::add(std::string_view name, std::string_view value) {
    bytes_ += name;
    if (value.find('\n') == std::string_view::npos) {
        bytes_ += '=';
    } else {
        const std::uint64_t size = htole64(value.size());
        bytes_ += '\n';
        bytes_.append(reinterpret_cast<const char*>(&size), sizeof size);
    }
    bytes_ += value;
    bytes_ += '\n';
    return *this;
}

JournalEntry& JournalEntry::add_if(std::string_view name, std::string_view value) {
    return value.empty() ? *this : add(name, value);
}

} // namespace sctr::systemd
