// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/members.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/unique_fd.hpp"
#include "storage/layer_stream.hpp"

namespace sctr::storage {

namespace {

constexpr la_int64_t longest_member = 16 << 20;

std::string without_dot(const char* name) {
    const std::string text(name != nullptr ? name : "");
    return text.starts_with("./") ? text.substr(2) : text;
}

} // namespace

std::map<std::string, std::string> read_members(const std::string& archive,
                                                const std::vector<std::string>& names) {
    const Archive reader(::archive_read_new());
    ::archive_read_support_filter_all(reader.get());
    ::archive_read_support_format_tar(reader.get());
    constexpr std::size_t block = 1 << 18;
    std::map<std::string, std::string> found;
    int status = ::archive_read_open_filename(reader.get(), archive.c_str(), block);
    struct archive_entry* entry = nullptr;
    while (status == ARCHIVE_OK || status == ARCHIVE_WARN) {
        status = ::archive_read_next_header(reader.get(), &entry);
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
            break;
        }
        const std::string name = without_dot(::archive_entry_pathname(entry));
        const la_int64_t size = ::archive_entry_size(entry);
        if (!std::ranges::contains(names, name) || size < 0 || size > longest_member) {
            continue;
        }
        std::string text(static_cast<std::size_t>(size), '\0');
        if (::archive_read_data(reader.get(), text.data(), text.size()) != size) {
            status = ARCHIVE_FATAL;
            break;
        }
        found[name] = std::move(text);
    }
    if (status != ARCHIVE_EOF) {
        throw Error("cannot read the archive").at(archive).because(reason_of(reader.get()));
    }
    return found;
}

void extract_layout(const std::string& archive,
                    const std::string& directory,
                    std::uint64_t most_bytes) {
    std::uint64_t bytes = 0;
    constexpr std::string_view blobs = "blobs/sha256/";
    const Archive reader(::archive_read_new());
    ::archive_read_support_filter_all(reader.get());
    ::archive_read_support_format_tar(reader.get());
    constexpr std::size_t block = 1 << 18;
    int status = ::archive_read_open_filename(reader.get(), archive.c_str(), block);
    ::mkdir((directory + "/blobs").c_str(), 0700);
    ::mkdir((directory + "/blobs/sha256").c_str(), 0700);
    struct archive_entry* entry = nullptr;
    while ((status = ::archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK ||
           status == ARCHIVE_WARN) {
        const std::string name = without_dot(::archive_entry_pathname(entry));
        const bool is_blob =
            name.starts_with(blobs) && is_sha256(std::string_view(name).substr(blobs.size()));
        if (!S_ISREG(::archive_entry_filetype(entry)) ||
            (!is_blob && name != "index.json" && name != "oci-layout")) {
            continue;
        }
        // Of an archive; it ends where that says.
        bytes += static_cast<std::uint64_t>(::archive_entry_size(entry));
        if (bytes > most_bytes) {
            throw Error("cannot read the archive")
                .at(archive)
                .because("it has more than the " + std::to_string(most_bytes) +
                         " bytes that there is room for");
        }
        const std::string path = directory + "/" + name;
        const UniqueFd file(
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!file.valid()) {
            throw Error("cannot write").at(path).because(errno);
        }
        if (::archive_read_data_into_fd(reader.get(), file.get()) != ARCHIVE_OK) {
            throw Error("cannot read the archive").at(archive).because(reason_of(reader.get()));
        }
    }
    if (status != ARCHIVE_EOF) {
        throw Error("cannot read the archive").at(archive).because(reason_of(reader.get()));
    }
}

} // namespace sctr::storage
