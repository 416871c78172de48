// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/recipe.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "linux/syscalls.hpp"
#include "storage/recipe_format.hpp"

namespace sctr::storage {

namespace {

constexpr std::size_t most_pending = 16 << 20;
constexpr const char* cannot_write = "cannot write the layer's recipe";

/// Little-endian.
void add_number(std::string& text, std::uint64_t number, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        text += static_cast<char>(number >> (8 * i) & 0xffU);
    }
}

} // namespace

void ContentSum::mix(const char* block) {
    constexpr std::uint64_t multiplier = 0x9e3779b97f4a7c15;
    constexpr int turn = 29;
    for (std::uint64_t& lane : lanes_) {
        std::uint64_t word = 0;
        std::memcpy(&word, block, sizeof word);
        block += sizeof word;
        word = std::endian::native == std::endian::little ? word : std::byteswap(word);
        lane = std::rotl((lane ^ word) * multiplier, turn);
    }
}

void ContentSum::update(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t filled = size_ % block_size;
        const std::size_t size = std::min(bytes.size(), block_size - filled);
        if (size == block_size) {
            mix(bytes.data());
        } else {
            std::memcpy(rest_.data() + filled, bytes.data(), size);
            if (filled + size == block_size) {
                mix(rest_.data());
            }
        }
        bytes.remove_prefix(size);
        size_ += size;
    }
}

std::uint64_t ContentSum::value() const {
    ContentSum all = *this;
    const std::size_t filled = size_ % block_size;
    std::memset(all.rest_.data() + filled, 0, block_size - filled);
    all.mix(all.rest_.data());
    std::uint64_t value = size_;
    for (const std::uint64_t lane : all.lanes_) {
        value = (value ^ lane) * 0xff51afd7ed558ccd;
        value ^= value >> 32U;
    }
    return value;
}

void RecipeWriter::FreeWriter::operator()(struct archive* archive) const {
    ::archive_write_free(archive);
}

RecipeWriter::RecipeWriter(const std::string& path,
                           const std::string& layer,
                           std::uint64_t most_bytes)
    : root_(::open(layer.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      most_bytes_(most_bytes),
      file_(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)),
      output_(::archive_write_new()) {
    if (!root_.valid() || !file_.valid()) {
        throw Error(cannot_write).at(path).because(errno);
    }
    struct archive* output = output_.get();
    ::archive_write_set_format_raw(output);
    if (::archive_write_add_filter_zstd(output) != ARCHIVE_OK ||
        ::archive_write_set_bytes_in_last_block(output, 1) != ARCHIVE_OK ||
        ::archive_write_open_fd(output, file_.get()) != ARCHIVE_OK) {
        throw Error(cannot_write).at(path).because(reason_of(output));
    }
    struct archive_entry* entry = ::archive_entry_new();
    ::archive_entry_set_filetype(entry, S_IFREG);
    const int status = ::archive_write_header(output, entry);
    ::archive_entry_free(entry);
    if (status != ARCHIVE_OK) {
        throw Error(cannot_write).at(path).because(reason_of(output));
    }
    write(recipe::magic);
}

void RecipeWriter::write(std::string_view bytes) {
    if (is_sound_ && ::archive_write_data(output_.get(), bytes.data(), bytes.size()) < 0) {
        throw Error(cannot_write).because(reason_of(output_.get()));
    }
}

void RecipeWriter::give_up() {
    is_sound_ = false;
    pending_.clear();
    pending_.shrink_to_fit();
    last_ = {};
    taken_ = 0;
}

std::string_view RecipeWriter::front() const {
    return taken_ < pending_.size() ? std::string_view(pending_).substr(taken_) : last_;
}

void RecipeWriter::drop(std::uint64_t size) {
    const auto from_pending =
        static_cast<std::size_t>(std::min<std::uint64_t>(size, pending_.size() - taken_));
    taken_ += from_pending;
    last_.remove_prefix(static_cast<std::size_t>(size - from_pending));
    start_ += size;
    if (taken_ > pending_.size() / 2) {
        pending_.erase(0, taken_);
        taken_ = 0;
    }
}

void RecipeWriter::saw(std::string_view bytes) {
    if (!is_sound_) {
        return;
    }
    if (pending_.size() - taken_ > most_pending) {
        keep(seen() - most_pending / 2); // a member that is left out
    }
    pending_.append(last_);
    last_ = bytes;
}

bool RecipeWriter::has_seen(std::uint64_t position, std::string_view bytes) const {
    if (position < start_ || position + bytes.size() > seen()) {
        return false;
    }
    const std::uint64_t start_of_last = seen() - last_.size();
    if (position < start_of_last) {
        const auto size = static_cast<std::size_t>(
            std::min<std::uint64_t>(bytes.size(), start_of_last - position));
        const auto at = static_cast<std::size_t>(taken_ + (position - start_));
        if (std::string_view(pending_).substr(at, size) != bytes.substr(0, size)) {
            return false;
        }
        bytes.remove_prefix(size);
        position += size;
    }
    if (bytes.empty()) {
        return true;
    }
    const std::string_view rest =
        last_.substr(static_cast<std::size_t>(position - start_of_last), bytes.size());
    // Mostly it is the very place.
    return rest.data() == bytes.data() || rest == bytes;
}

void RecipeWriter::end_part() {
    if (part_.length == 0) {
        return;
    }
    std::string record(1, recipe::content);
    const std::string& name = part_.file < named_ ? std::string() : files_[part_.file].path;
    add_number(record, name.size(), recipe::name_size);
    record += name;
    named_ = files_.size();
    add_number(record, part_.offset, recipe::number_size);
    add_number(record, part_.length, recipe::number_size);
    add_number(record, part_.sum.value(), recipe::number_size);
    part_ = {};
    write(record);
}

void RecipeWriter::keep(std::uint64_t until) {
    end_part();
    while (is_sound_ && start_ < until) {
        const std::string_view bytes = front().substr(
            0, static_cast<std::size_t>(std::min(until - start_, recipe::longest_bytes)));
        const std::size_t size = bytes.size();
        std::string record(1, recipe::bytes);
        add_number(record, size, recipe::length_size);
        write(record);
        write(bytes);
        drop(size);
        kept_ += size;
        if (kept_ > most_bytes_) {
            give_up();
        }
    }
}

void RecipeWriter::settle(std::uint64_t position) {
    if (is_sound_ && position > start_) {
        keep(std::min(position, seen()));
    }
}

void RecipeWriter::begin_file(const std::string& path, int file) {
    if (!is_sound_) {
        return;
    }
    end_part();
    struct stat info{};
    if (::fstat(file, &info) < 0 || path.size() >= recipe::longest_name) {
        return give_up();
    }
    // Another file's number: that one is gone, and its content with it.
    if (!inodes_.emplace(info.st_ino, files_.size()).second) {
        return give_up();
    }
    files_.push_back({.path = path, .inode = info.st_ino});
    end_of_content_ = 0;
}

void RecipeWriter::content(std::uint64_t position, std::uint64_t offset, std::string_view bytes) {
    if (!is_sound_ || bytes.empty()) {
        return;
    }
    if (offset < end_of_content_ || !has_seen(position, bytes)) {
        return give_up();
    }
    const bool goes_on = part_.length > 0 && position == start_ && offset == end_of_content_;
    if (!goes_on) {
        keep(position);
        part_ = {.file = files_.size() - 1, .offset = offset};
    }
    if (!is_sound_) {
        return;
    }
    part_.length += bytes.size();
    part_.sum.update(bytes);
    end_of_content_ = offset + bytes.size();
    drop(bytes.size());
}

bool RecipeWriter::finish() {
    keep(seen());
    for (const File& file : files_) {
        if (!is_sound_) {
            return false;
        }
        const UniqueFd there(sys::openat2(
            root_.get(), file.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, recipe::inside));
        struct stat info{};
        if (!there.valid() || ::fstat(there.get(), &info) < 0 || !S_ISREG(info.st_mode) ||
            info.st_ino != file.inode) {
            give_up();
        }
    }
    write(std::string_view(&recipe::end, 1));
    if (is_sound_ && ::archive_write_close(output_.get()) != ARCHIVE_OK) {
        throw Error(cannot_write).because(reason_of(output_.get()));
    }
    return is_sound_;
}

} // namespace sctr::storage
