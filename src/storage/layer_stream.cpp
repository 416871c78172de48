// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/layer_stream.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "storage/recipe.hpp"
#include "storage/stop.hpp"

namespace sctr::storage {

namespace {

constexpr std::size_t block_size = 1 << 18;
constexpr std::string_view own_fds = "/proc/self/fd/";

/// What is open already is not opened anew, which takes a right of its own.
UniqueFd open_blob(const std::string& path, int flags) {
    if (path.starts_with(own_fds)) {
        const int fd = std::atoi(path.c_str() + own_fds.size());
        return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    }
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | flags));
}

} // namespace

void CloseArchive::operator()(struct archive* archive) const {
    ::archive_read_free(archive);
}

std::string reason_of(struct archive* archive) {
    const char* text = ::archive_error_string(archive);
    return text != nullptr ? text : "the archive is damaged";
}

LayerStream::LayerStream(const std::string& path) : LayerStream(path, open_blob(path, 0)) {}

LayerStream::LayerStream(const std::string& path, std::unique_ptr<RecipeReader> recipe)
    : path_(path), recipe_(std::move(recipe)) {}

LayerStream::~LayerStream() = default;

std::unique_ptr<LayerStream> LayerStream::of_recipe(const std::string& path) {
    return of_recipe(path, path.substr(0, path.rfind('/')) + "/diff");
}

std::unique_ptr<LayerStream> LayerStream::of_recipe(const std::string& path,
                                                    const std::string& tree) {
    return std::unique_ptr<LayerStream>(
        new LayerStream(path, std::make_unique<RecipeReader>(path, tree)));
}

std::unique_ptr<LayerStream> LayerStream::of_blob(const std::string& path) {
    UniqueFd blob = open_blob(path, O_NOFOLLOW); // a link there stands for a recipe
    return !blob.valid() && errno == ELOOP
               ? of_recipe(std::filesystem::canonical(path))
               : std::unique_ptr<LayerStream>(new LayerStream(path, std::move(blob)));
}

LayerStream::LayerStream(const std::string& path, UniqueFd blob)
    : path_(path), blob_(std::move(blob)), buffer_(block_size), decompressor_(::archive_read_new()),
      block_(block_size) {
    if (!blob_.valid()) {
        throw Error("cannot open the layer").at(path).because(errno);
    }
    ::posix_fadvise(blob_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    struct archive* reader = decompressor_.get();
    ::archive_read_support_filter_gzip(reader);
    ::archive_read_support_filter_zstd(reader);
    ::archive_read_support_filter_bzip2(reader);
    ::archive_read_support_filter_xz(reader);
    ::archive_read_support_format_raw(reader);
    ::archive_read_support_format_empty(reader);
    if (::archive_read_open(reader, this, nullptr, read_blob, nullptr) != ARCHIVE_OK) {
        throw Error("cannot read the layer").at(path).because(reason_of(reader));
    }
    struct archive_entry* entry = nullptr;
    const int status = ::archive_read_next_header(reader, &entry);
    is_empty_ = status == ARCHIVE_EOF;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN && !is_empty_) {
        throw Error("cannot read the layer").at(path).because(reason_of(reader));
    }
}

ssize_t LayerStream::next_of_blob() {
    ssize_t size = 0;
    do {
        size = ::read(blob_.get(), buffer_.data(), buffer_.size());
    } while (size < 0 && errno == EINTR && stop_requested == 0);
    if (stop_requested != 0) {
        errno = EINTR;
        return -1;
    }
    if (size > 0) {
        blob_hash_.update(buffer_.data(), static_cast<std::size_t>(size));
    }
    return size;
}

ssize_t LayerStream::read_blob(struct archive* archive, void* self, const void** bytes) {
    auto* stream = static_cast<LayerStream*>(self);
    *bytes = stream->buffer_.data();
    const ssize_t size = stream->next_of_blob();
    if (size < 0) {
        ::archive_set_error(archive, errno, "cannot read the blob");
    }
    return size;
}

ssize_t LayerStream::decompress(const void** bytes) {
    if (is_empty_) {
        return 0;
    }
    const la_ssize_t size = ::archive_read_data(decompressor_.get(), block_.data(), block_.size());
    *bytes = block_.data();
    return size < 0 ? -1 : size;
}

/// Called by libarchive, through which nothing may be thrown.
ssize_t LayerStream::make_again(const void** bytes) {
    try {
        const std::string_view more = recipe_->next();
        *bytes = more.data();
        return static_cast<ssize_t>(more.size());
    } catch (const std::exception& error) {
        failure_ = error.what();
        return -1;
    }
}

ssize_t LayerStream::read(const void** bytes) {
    if (watcher_) {
        watcher_({});
    }
    const ssize_t size = recipe_ ? make_again(bytes) : decompress(bytes);
    if (size > 0) {
        const std::string_view more(static_cast<const char*>(*bytes),
                                    static_cast<std::size_t>(size));
        stream_hash_.update(more);
        size_ += more.size();
        if (watcher_) {
            watcher_(more);
        }
    }
    return size;
}

std::string LayerStream::failure() const {
    return recipe_ ? failure_ : reason_of(decompressor_.get());
}

void LayerStream::drain() {
    const void* ignored = nullptr;
    ssize_t size = 0;
    while ((size = read(&ignored)) > 0) {
    }
    if (size < 0 && recipe_) {
        throw Error(failure_);
    }
    if (size < 0) {
        throw Error("cannot read the layer").at(path_).because(failure());
    }
    while (!recipe_ && (size = next_of_blob()) > 0) {
    }
    if (size < 0) {
        throw Error("cannot read the layer").at(path_).because(errno);
    }
}

} // namespace sctr::storage
