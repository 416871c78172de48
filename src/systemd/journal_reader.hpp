// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sd_journal;

namespace sctr::systemd {

/// The journal of this host, as far as the caller may read it. Entries are passed in the order of
/// their time. Source: sd-journal(3).
class JournalReader {
  public:
    /// Throws Error.
    JournalReader();

    /// Only entries with this field and value are passed: any of those of one field, and one of
    /// every field, up to the next either_or().
    void match(std::string_view field, std::string_view value);
    /// What is matched from here on is an alternative to all before it.
    void either_or();

    void seek_begin();
    void seek_end();
    /// To the first entry at or after this time (microseconds, CLOCK_REALTIME), for next(), or to
    /// the last before it, for previous().
    void seek_time(std::int64_t usec);

    /// To the neighbouring entry; false when there is none.
    bool next();
    bool previous();

    /// The first value of a field of this entry; nothing when it has none.
    [[nodiscard]] std::optional<std::string> get(const char* field) const;
    /// Every value of a field of this entry.
    [[nodiscard]] std::vector<std::string> values(std::string_view field) const;
    /// When the entry was received, in microseconds, CLOCK_REALTIME.
    [[nodiscard]] std::int64_t time_usec() const;

    /// For poll(2); what next() waits for.
    [[nodiscard]] int fd() const;
    /// Takes in what fd() has announced.
    void process() const;

  private:
    struct Close {
        void operator()(sd_journal* journal) const noexcept;
    };

    std::unique_ptr<sd_journal, Close> journal_;
};

/// Throws Error, with what mends it, when the caller may not read the journal of the system, or of
/// his own where journald keeps one for each user.
void require_journal_access(std::uint32_t writer);

} // namespace sctr::systemd
