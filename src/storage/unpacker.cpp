// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/unpacker.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "base/error.hpp"
#include "base/strings.hpp"

namespace sctr::storage {

namespace {

Error failure(const std::string& where, const std::string& why) {
    Error error(cannot_unpack);
    error.at("/" + escape_controls(where)).because(why);
    return error;
}

std::uint32_t id_of(la_int64_t id, const std::string& path) {
    constexpr la_int64_t last = std::numeric_limits<std::uint32_t>::max() - 1;
    if (id < 0 || id > last) {
        throw failure(path, "no such user or group: " + std::to_string(id));
    }
    return static_cast<std::uint32_t>(id);
}

/// A text of libarchive's, which is null where it is not there or no text.
std::string text_of(const char* text, const char* what) {
    if (text == nullptr) {
        throw Error(cannot_unpack).because(std::string(what) + " that is no UTF-8, or is missing");
    }
    return text;
}

LayerMember member_of(struct archive_entry* entry) {
    LayerMember member;
    member.path = clean_member_path(text_of(::archive_entry_pathname(entry), "a name"));
    member.mode = ::archive_entry_filetype(entry) | (::archive_entry_perm(entry) & 07777U);
    member.uid = id_of(::archive_entry_uid(entry), member.path);
    member.gid = id_of(::archive_entry_gid(entry), member.path);
    member.device = ::archive_entry_rdev(entry);
    member.mtime = {.tv_sec = ::archive_entry_mtime(entry),
                    .tv_nsec = ::archive_entry_mtime_nsec(entry)};
    if (const char* target = ::archive_entry_hardlink(entry)) {
        member.is_hard_link = true;
        member.link = clean_member_path(target);
    } else if (S_ISLNK(member.mode)) {
        member.link = text_of(::archive_entry_symlink(entry), "a symbolic link's target");
    }
    ::archive_entry_xattr_reset(entry);
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (::archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        member.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
    }
    return member;
}

la_ssize_t read_stream(struct archive* archive, void* stream, const void** bytes) {
    auto* source = static_cast<LayerStream*>(stream);
    const ssize_t size = source->read(bytes);
    if (size < 0) {
        ::archive_set_error(archive, EIO, "%s", source->failure().c_str());
    }
    return size;
}

bool is_whiteout_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1).starts_with(whiteout_prefix);
}

void write_at(int file, std::string_view bytes, la_int64_t offset, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), offset);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            const int error_number = errno;
            throw Error(cannot_unpack).at("/" + escape_controls(path)).because(error_number);
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
        offset += written;
    }
}

} // namespace

Unpacker::Unpacker(LayerStream& stream, const LayerBounds& bounds, RecipeWriter* recipe)
    : bounds_(bounds), reader_(::archive_read_new()), recipe_(recipe) {
    ::archive_read_support_format_tar(reader_.get());
    ::archive_read_support_format_empty(reader_.get());
    if (::archive_read_open(reader_.get(), &stream, nullptr, read_stream, nullptr) != ARCHIVE_OK) {
        throw Error(cannot_unpack).because(reason_of(reader_.get()));
    }
}

std::optional<LayerMember> Unpacker::next() {
    const int status = ::archive_read_next_header(reader_.get(), &entry_);
    if (status == ARCHIVE_EOF) {
        return std::nullopt;
    }
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
        throw Error(cannot_unpack).because(reason_of(reader_.get()));
    }
    if (recipe_ != nullptr) {
        recipe_->settle(position());
    }
    LayerMember member = member_of(entry_);
    if (++count_ > bounds_.members) {
        throw failure(member.path, "more than " + std::to_string(bounds_.members) + " members");
    }
    return member;
}

bool Unpacker::has_end_mark() const {
    // Zeros are read as the header of one more member, which is none.
    return ::archive_filter_bytes(reader_.get(), 0) > ::archive_read_header_position(reader_.get());
}

void Unpacker::write(const LayerMember& member, MemberTree& tree, Meaning meaning) {
    const bool is_whiteout = meaning == Meaning::layer && is_whiteout_name(member.path);
    if (S_ISREG(member.mode) && !member.is_hard_link && !is_whiteout) {
        write_file(member, ::archive_entry_size(entry_), tree);
    } else {
        tree.add(member);
    }
}

std::uint64_t Unpacker::size() const {
    return static_cast<std::uint64_t>(::archive_entry_size(entry_));
}

void Unpacker::write_file(const LayerMember& member, std::int64_t size, MemberTree& tree) {
    const UniqueFd file = tree.create_file(member);
    if (recipe_ != nullptr) {
        recipe_->begin_file(member.path, file.get());
    }
    const void* block = nullptr;
    std::size_t length = 0;
    la_int64_t offset = 0;
    la_int64_t end = 0;
    int status = ARCHIVE_OK;
    while ((status = ::archive_read_data_block(reader_.get(), &block, &length, &offset)) ==
           ARCHIVE_OK) {
        bytes_ += length;
        if (bytes_ > bounds_.bytes) {
            throw failure(member.path,
                          "the layer has more than the " + std::to_string(bounds_.bytes) +
                              " bytes that there is room for");
        }
        const std::string_view content(static_cast<const char*>(block), length);
        write_at(file.get(), content, offset, member.path);
        if (recipe_ != nullptr) {
            recipe_->content(position(), static_cast<std::uint64_t>(offset), content);
        }
        end = offset + static_cast<la_int64_t>(length);
    }
    if (status != ARCHIVE_EOF) {
        throw failure(member.path, reason_of(reader_.get()));
    }
    if (end < size && ::ftruncate(file.get(), size) < 0) { // ends with a hole
        const int error_number = errno;
        throw Error(cannot_unpack).at("/" + escape_controls(member.path)).because(error_number);
    }
    tree.finish_file(file.get(), member);
}

/// Of what libarchive has consumed: right after it has given content, where that begins.
std::uint64_t Unpacker::position() const {
    return static_cast<std::uint64_t>(::archive_filter_bytes(reader_.get(), 0));
}

} // namespace sctr::storage
