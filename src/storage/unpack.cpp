// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "storage/layer_stream.hpp"
#include "storage/layer_tree.hpp"

namespace sctr::storage {

namespace {

constexpr const char* cannot_unpack = "cannot unpack the layer";

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

/// Unpacks one archive.
class Unpacker {
  public:
    Unpacker(LayerStream& stream, LayerTree& tree, const LayerBounds& bounds)
        : tree_(tree), bounds_(bounds), reader_(::archive_read_new()) {
        ::archive_read_support_format_tar(reader_.get());
        ::archive_read_support_format_empty(reader_.get());
        if (::archive_read_open(reader_.get(), &stream, nullptr, read_stream, nullptr) !=
            ARCHIVE_OK) {
            throw Error(cannot_unpack).because(reason_of(reader_.get()));
        }
    }

    /// Returns the bytes of content.
    std::uint64_t run() {
        struct archive_entry* entry = nullptr;
        int status = ARCHIVE_OK;
        for (std::uint64_t count = 0;
             (status = ::archive_read_next_header(reader_.get(), &entry)) == ARCHIVE_OK ||
             status == ARCHIVE_WARN;
             ++count) {
            const LayerMember member = member_of(entry);
            if (count >= bounds_.members) {
                throw failure(member.path,
                              "more than " + std::to_string(bounds_.members) + " members");
            }
            if (S_ISREG(member.mode) && !member.is_hard_link && !is_whiteout(member.path)) {
                write_file(member, ::archive_entry_size(entry));
            } else {
                tree_.add(member);
            }
        }
        if (status != ARCHIVE_EOF) {
            throw Error(cannot_unpack).because(reason_of(reader_.get()));
        }
        tree_.finish();
        return bytes_;
    }

  private:
    static bool is_whiteout(const std::string& path) {
        return path.substr(path.rfind('/') + 1).starts_with(".wh.");
    }

    void write_file(const LayerMember& member, la_int64_t size) {
        const UniqueFd file = tree_.create_file(member);
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
            write_at(file.get(), static_cast<const char*>(block), length, offset, member.path);
            end = offset + static_cast<la_int64_t>(length);
        }
        if (status != ARCHIVE_EOF) {
            throw failure(member.path, reason_of(reader_.get()));
        }
        if (end < size && ::ftruncate(file.get(), size) < 0) { // ends with a hole
            const int error_number = errno;
            throw Error(cannot_unpack).at("/" + member.path).because(error_number);
        }
        tree_.finish_file(file.get(), member);
    }

    static void write_at(
        int file, const char* bytes, std::size_t size, la_int64_t offset, const std::string& path) {
        while (size > 0) {
            const ssize_t written = ::pwrite(file, bytes, size, offset);
            if (written < 0) {
                if (errno == EINTR) {
                    continue;
                }
                throw Error(cannot_unpack).at("/" + path).because(errno);
            }
            bytes += written;
            size -= static_cast<std::size_t>(written);
            offset += written;
        }
    }

    LayerTree& tree_;
    LayerBounds bounds_;
    Archive reader_;
    std::uint64_t bytes_ = 0;
};

void check_digest(const std::string& found, const std::string& wanted, const char* what) {
    if (!wanted.empty() && found != wanted) {
        throw Error(what).at("sha256:" + wanted).because("it is sha256:" + found);
    }
}

} // namespace

UnpackedLayer unpack_layer(const LayerSource& source,
                           const std::string& directory,
                           const LayerBounds& bounds,
                           bool rootless) {
    LayerStream stream(source.blob);
    LayerTree tree(directory, rootless);
    UnpackedLayer layer;
    layer.bytes = Unpacker(stream, tree, bounds).run();
    stream.drain();
    layer.digest = stream.digest();
    layer.diff_digest = stream.diff_digest();
    check_digest(layer.digest, source.digest, "the layer's blob is not what its digest says");
    check_digest(layer.diff_digest,
                 source.diff_digest,
                 "the unpacked layer is not what the image's config says");
    layer.implied = tree.implied();
    return layer;
}

} // namespace sctr::storage
