// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/syscalls.hpp"
#include "storage/recipe.hpp"
#include "storage/recipe_format.hpp"

namespace sctr::storage {

namespace {

constexpr std::size_t block_size = 1 << 18;

} // namespace

RecipeReader::RecipeReader(const std::string& path, const std::string& tree)
    : path_(path), stream_(path), tree_(tree),
      root_(::open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      block_(block_size) {
    if (!root_.valid()) {
        throw Error("cannot read the layer").at(tree).because(errno);
    }
    if (take(recipe::magic.size()) != recipe::magic) {
        fail("it does not begin as one");
    }
}

void RecipeReader::fail(const std::string& why) const {
    throw Error("the layer's recipe is damaged").at(path_).because(why);
}

std::string_view RecipeReader::take(std::size_t size) {
    if (buffer_.size() - used_ < size) {
        buffer_.erase(0, used_);
        used_ = 0;
    }
    while (buffer_.size() < size) {
        const void* more = nullptr;
        const ssize_t length = stream_.read(&more);
        if (length <= 0) {
            fail(length < 0 ? stream_.failure() : "it ends too early");
        }
        buffer_.append(static_cast<const char*>(more), static_cast<std::size_t>(length));
    }
    used_ += size;
    return std::string_view(buffer_).substr(used_ - size, size);
}

std::uint64_t RecipeReader::number(std::size_t size) {
    std::uint64_t number = 0;
    const std::string_view bytes = take(size);
    for (std::size_t i = 0; i < size; ++i) {
        number |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    return number;
}

void RecipeReader::open_part() {
    const std::uint64_t length_of_name = number(recipe::name_size);
    if (length_of_name >= recipe::longest_name || (length_of_name == 0 && !file_.valid())) {
        fail("a name of " + std::to_string(length_of_name) + " bytes");
    }
    if (length_of_name > 0) {
        name_ = take(length_of_name);
        file_ = UniqueFd(sys::openat2(root_.get(),
                                      name_.c_str(),
                                      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                                      0,
                                      recipe::inside));
        const int error_number = errno;
        struct stat info{};
        if (!file_.valid()) {
            throw Error("the layer has changed")
                .at(tree_ + "/" + escape_controls(name_))
                .because(error_number);
        }
        if (::fstat(file_.get(), &info) < 0 || !S_ISREG(info.st_mode)) {
            throw Error("the layer has changed")
                .at(tree_ + "/" + escape_controls(name_))
                .because("it is no file any more");
        }
    }
    offset_ = number(recipe::number_size);
    left_ = number(recipe::number_size);
    wanted_sum_ = number(recipe::number_size);
    sum_ = {};
}

std::string_view RecipeReader::next_of_part() {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block_.size(), left_));
    ssize_t size = 0;
    do {
        size = ::pread(file_.get(), block_.data(), wanted, static_cast<off_t>(offset_));
    } while (size < 0 && errno == EINTR);
    const int error_number = errno;
    Error changed("the layer has changed");
    changed.at(tree_ + "/" + escape_controls(name_));
    if (size <= 0) {
        throw size < 0 ? changed.because(error_number) : changed.because("the file is shorter");
    }
    const std::string_view bytes(block_.data(), static_cast<std::size_t>(size));
    sum_.update(bytes);
    offset_ += bytes.size();
    left_ -= bytes.size();
    if (left_ == 0 && sum_.value() != wanted_sum_) {
        throw changed.because("its content is another");
    }
    return bytes;
}

std::string_view RecipeReader::next() {
    while (!is_done_) {
        if (left_ > 0) {
            return next_of_part();
        }
        const char kind = take(1).front();
        if (kind == recipe::content) {
            open_part();
        } else if (kind == recipe::end) {
            is_done_ = true;
        } else if (kind == recipe::bytes) {
            const std::uint64_t size = number(recipe::length_size);
            if (size > recipe::longest_bytes) {
                fail("a record of " + std::to_string(size) + " bytes");
            }
            if (size > 0) {
                return take(size);
            }
        } else {
            fail("a record of no kind that is known");
        }
    }
    return {};
}

} // namespace sctr::storage
