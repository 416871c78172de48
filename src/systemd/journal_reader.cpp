// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/journal_reader.hpp"

#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "host/caller.hpp"

namespace sctr::systemd {

namespace {

/// The value that libsystemd returned, or the Error that it stands for.
int checked(int result) {
    if (result < 0) {
        throw Error("cannot read the journal").because(-result);
    }
    return result;
}

std::string value_of(const void* data, std::size_t size) {
    const std::string_view text(static_cast<const char*>(data), size);
    return std::string(text.substr(text.find('=') + 1));
}

} // namespace

void JournalReader::Close::operator()(sd_journal* journal) const noexcept {
    ::sd_journal_close(journal);
}

JournalReader::JournalReader() {
    sd_journal* journal = nullptr;
    checked(::sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY));
    journal_.reset(journal);
    checked(::sd_journal_set_data_threshold(journal, 0)); // whole values
}

void JournalReader::match(std::string_view field, std::string_view value) {
    const std::string text = std::string(field) + "=" + std::string(value);
    checked(::sd_journal_add_match(journal_.get(), text.data(), text.size()));
}

void JournalReader::either_or() {
    checked(::sd_journal_add_disjunction(journal_.get()));
}

void JournalReader::seek_begin() {
    checked(::sd_journal_seek_head(journal_.get()));
}

void JournalReader::seek_end() {
    checked(::sd_journal_seek_tail(journal_.get()));
}

void JournalReader::seek_time(std::int64_t usec) {
    checked(::sd_journal_seek_realtime_usec(journal_.get(), static_cast<std::uint64_t>(usec)));
}

bool JournalReader::next() {
    return checked(::sd_journal_next(journal_.get())) > 0;
}

bool JournalReader::previous() {
    return checked(::sd_journal_previous(journal_.get())) > 0;
}

std::optional<std::string> JournalReader::get(const char* field) const {
    const void* data = nullptr;
    std::size_t size = 0;
    const int result = ::sd_journal_get_data(journal_.get(), field, &data, &size);
    if (result == -ENOENT) {
        return std::nullopt;
    }
    checked(result);
    return value_of(data, size);
}

std::vector<std::string> JournalReader::values(std::string_view field) const {
    std::vector<std::string> found;
    const std::string begin = std::string(field) + "=";
    const void* data = nullptr;
    std::size_t size = 0;
    ::sd_journal_restart_data(journal_.get());
    while (checked(::sd_journal_enumerate_data(journal_.get(), &data, &size)) > 0) {
        if (std::string_view(static_cast<const char*>(data), size).starts_with(begin)) {
            found.push_back(value_of(data, size));
        }
    }
    return found;
}

std::int64_t JournalReader::time_usec() const {
    std::uint64_t usec = 0;
    checked(::sd_journal_get_realtime_usec(journal_.get(), &usec));
    return static_cast<std::int64_t>(usec);
}

int JournalReader::fd() const {
    return checked(::sd_journal_get_fd(journal_.get()));
}

void JournalReader::process() const {
    checked(::sd_journal_process(journal_.get()));
}

void require_journal_access(std::uint32_t writer) {
    sd_id128_t machine{};
    if (::sd_id128_get_machine(&machine) < 0) {
        return; // there is no journal that could be kept from anybody
    }
    std::array<char, SD_ID128_STRING_MAX> name{};
    ::sd_id128_to_string(machine, name.data());
    const std::string user_file = "/user-" + std::to_string(writer) + ".journal";
    std::string closed;
    for (const std::string root : {"/var/log/journal/", "/run/log/journal/"}) {
        const std::string directory = root + name.data();
        for (const std::string& file : {directory + "/system.journal", directory + user_file}) {
            if (::access(file.c_str(), R_OK) == 0) {
                return;
            }
            if (errno == EACCES) {
                closed = file;
            }
        }
    }
    if (!closed.empty()) {
        throw Error("cannot read the journal")
            .at(closed)
            .because(EACCES)
            .mend("become root, or a member of the group systemd-journal");
    }
}

} // namespace sctr::systemd
