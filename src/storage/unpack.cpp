// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "storage/layer_looks.hpp"
#include "storage/layer_stream.hpp"
#include "storage/layer_tree.hpp"
#include "storage/recipe.hpp"

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

/// Reads the members of one archive, one after the other.
class Unpacker {
  public:
    Unpacker(LayerStream& stream, const LayerBounds& bounds, RecipeWriter* recipe = nullptr)
        : bounds_(bounds), reader_(::archive_read_new()), recipe_(recipe) {
        ::archive_read_support_format_tar(reader_.get());
        ::archive_read_support_format_empty(reader_.get());
        if (::archive_read_open(reader_.get(), &stream, nullptr, read_stream, nullptr) !=
            ARCHIVE_OK) {
            throw Error(cannot_unpack).because(reason_of(reader_.get()));
        }
    }

    /// The next member; nothing when that was all.
    std::optional<LayerMember> next() {
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

    /// Writes the one that next() has returned, which may have got another name.
    void write(const LayerMember& member, LayerTree& tree, Meaning meaning) {
        const bool is_whiteout = meaning == Meaning::layer && is_whiteout_name(member.path);
        if (S_ISREG(member.mode) && !member.is_hard_link && !is_whiteout) {
            write_file(member, ::archive_entry_size(entry_), tree);
        } else {
            tree.add(member);
        }
    }

    /// Of the content of the one that next() has returned.
    [[nodiscard]] std::uint64_t size() const {
        return static_cast<std::uint64_t>(::archive_entry_size(entry_));
    }

    /// Of content.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  private:
    static bool is_whiteout_name(const std::string& path) {
        return path.substr(path.rfind('/') + 1).starts_with(".wh.");
    }

    void write_file(const LayerMember& member, la_int64_t size, LayerTree& tree) {
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
            throw Error(cannot_unpack).at("/" + member.path).because(error_number);
        }
        tree.finish_file(file.get(), member);
    }

    /// Of what libarchive has consumed: right after it has given content, where that begins.
    [[nodiscard]] std::uint64_t position() const {
        return static_cast<std::uint64_t>(::archive_filter_bytes(reader_.get(), 0));
    }

    static void
    write_at(int file, std::string_view bytes, la_int64_t offset, const std::string& path) {
        while (!bytes.empty()) {
            const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), offset);
            if (written < 0) {
                if (errno == EINTR) {
                    continue;
                }
                throw Error(cannot_unpack).at("/" + path).because(errno);
            }
            bytes.remove_prefix(static_cast<std::size_t>(written));
            offset += written;
        }
    }

    LayerBounds bounds_;
    Archive reader_;
    RecipeWriter* recipe_;
    struct archive_entry* entry_ = nullptr;
    std::uint64_t count_ = 0;
    std::uint64_t bytes_ = 0;
};

void check_digest(const std::string& found, const std::string& wanted, const char* what) {
    if (!wanted.empty() && found != wanted) {
        throw Error(what).at("sha256:" + wanted).because("it is sha256:" + found);
    }
}

void finish_reading(LayerStream& stream, const LayerSource& source) {
    stream.drain();
    if (!stream.is_made_again()) { // else the link is the proof
        check_digest(
            stream.digest(), source.digest, "the layer's blob is not what its digest says");
    }
    check_digest(stream.diff_digest(),
                 source.diff_digest,
                 "the unpacked layer is not what the image's config says");
}

bool saves_disk(const LayerSource& source) {
    struct stat blob{};
    struct stat recipe{};
    // Whole blocks, which is what a disk has.
    constexpr off_t block = 4096;
    return ::stat(source.blob.c_str(), &blob) == 0 && ::stat(source.recipe.c_str(), &recipe) == 0 &&
           (recipe.st_size + block - 1) / block <= (blob.st_size + block - 1) / block;
}

/// Devices are root's to make, and then only as what they are. In a user namespace anybody makes
/// one that is none (0:0).
bool is_left_out(const LayerMember& member, const TreeSource& source) {
    const bool is_device = !member.is_hard_link && (S_ISBLK(member.mode) || S_ISCHR(member.mode));
    return is_device && (!source.keep_owners || (source.rootless && member.device != 0));
}

/// False for what shall not be root's.
bool give_to_root(LayerMember& member) {
    if (!member.is_hard_link && (S_ISCHR(member.mode) || S_ISBLK(member.mode))) {
        return false;
    }
    member.uid = 0;
    member.gid = 0;
    member.mode &= ~static_cast<mode_t>(S_ISUID | S_ISGID);
    std::erase_if(member.xattrs,
                  [](const auto& xattr) { return xattr.first == "security.capability"; });
    return true;
}

/// A path whose first part is another; without it where `top` is empty.
std::string with_top(const std::string& path, const std::string& top) {
    const auto slash = path.find('/');
    const std::string rest = slash == std::string::npos ? "" : path.substr(slash + 1);
    return top.empty() || rest.empty() ? top + rest : top + "/" + rest;
}

} // namespace

UnpackedLayer unpack_layer(const LayerSource& source,
                           const std::string& directory,
                           const LayerBounds& bounds,
                           bool rootless) {
    const auto stream = LayerStream::of_blob(source.blob);
    LayerTree tree(directory, {.rootless = rootless});
    UnpackedLayer layer;
    std::optional<RecipeWriter> recipe;
    if (!source.recipe.empty()) {
        recipe.emplace(source.recipe, directory, bounds.bytes);
        stream->watch([&](std::string_view bytes) { recipe->saw(bytes); });
    }
    Unpacker unpacker(*stream, bounds, recipe ? &*recipe : nullptr);
    while (const auto member = unpacker.next()) {
        unpacker.write(*member, tree, Meaning::layer);
    }
    tree.finish();
    layer.bytes = unpacker.bytes();
    layer.implied = tree.implied();
    layer.opaque = tree.opaque();
    finish_reading(*stream, source);
    if (recipe && (!recipe->finish() || !saves_disk(source))) {
        ::unlink(source.recipe.c_str());
    }
    return layer;
}

void verify_layer(const LayerSource& source) {
    finish_reading(*LayerStream::of_blob(source.blob), source);
}

void check_layer(const std::string& archive,
                 const std::string& diff_digest,
                 const std::string& tree,
                 bool rootless) {
    const auto stream = archive.ends_with(".recipe") ? LayerStream::of_recipe(archive, tree)
                                                     : LayerStream::of_blob(archive);
    LayerLooks looks(rootless);
    try {
        Unpacker unpacker(*stream, {});
        while (const auto member = unpacker.next()) {
            looks.add(*member, unpacker.size());
        }
        stream->drain();
    } catch (const Error&) {
        if (const std::string why = stream->is_made_again() ? stream->failure() : "";
            !why.empty()) {
            throw Error(why);
        }
        throw;
    }
    check_digest(stream->diff_digest(), diff_digest, "the layer has changed");
    if (const auto difference = looks.difference(tree)) {
        throw Error("the layer has changed").at(*difference);
    }
}

void unpack_tree(const TreeSource& source,
                 const std::function<TreeTarget(bool is_directory)>& choose) {
    LayerStream stream(source.archive);
    Unpacker unpacker(stream, {.bytes = std::numeric_limits<std::uint64_t>::max()});
    auto member = unpacker.next();
    if (!member) {
        return;
    }
    const bool is_directory = S_ISDIR(member->mode);
    const TreeTarget target = choose(is_directory);
    LayerTree tree(target.directory, {.rootless = source.rootless, .meaning = Meaning::tree});
    for (; member; member = unpacker.next()) {
        if (target.top && !is_directory && is_left_out(*member, source)) { // it is all there is
            throw Error("a device is not copied")
                .at(member->path)
                .mend("as root, --archive copies it as it is");
        }
        if (!source.keep_owners && !give_to_root(*member)) {
            continue;
        }
        if (target.top) {
            member->path = with_top(member->path, *target.top);
            member->link =
                member->is_hard_link ? with_top(member->link, *target.top) : member->link;
        }
        if (!member->path.empty() || !target.top) {
            unpacker.write(*member, tree, Meaning::tree);
        }
    }
    tree.finish();
    stream.drain();
}

} // namespace sctr::storage
