// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "host/caller.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "oci/reference.hpp"
#include "storage/files.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;

constexpr const char* cannot_use = "cannot use the store of images";
constexpr const char* image_file = "/image.json";
constexpr std::size_t shortest_prefix = 4;

/// One in which nobody else may put things, which would be taken for the store's own.
void ensure_own_directory(const std::string& path, mode_t mode) {
    ensure_directory(path, mode, cannot_use);
    struct stat info{};
    if (::stat(path.c_str(), &info) < 0) {
        throw Error(cannot_use).at(path).because(errno);
    }
    if (info.st_uid != ::geteuid() || (info.st_mode & S_IWOTH) != 0) {
        throw Error(cannot_use)
            .at(path)
            .because("others may write there")
            .mend("look at what is in it; then chown and chmod o-w");
    }
}

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char letter) {
        return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
    });
}

} // namespace

std::string encode_name(const std::string& name) {
    std::string file;
    for (const char letter : name) {
        if (letter == '/') {
            file += "%2F";
        } else if (letter == '%') {
            file += "%25";
        } else {
            file += letter;
        }
    }
    return file;
}

std::string decode_name(const std::string& file) {
    std::string name;
    for (std::size_t i = 0; i < file.size(); ++i) {
        if (file.compare(i, 3, "%2F") == 0) {
            name += '/';
            i += 2;
        } else if (file.compare(i, 3, "%25") == 0) {
            name += '%';
            i += 2;
        } else {
            name += file[i];
        }
    }
    return name;
}

Store Store::own() {
    return Store(host::data_directory(host::caller()));
}

std::string Store::name_link(const std::string& full_name) const {
    return root_ + "/names/" + encode_name(full_name);
}

void Store::prepare() const {
    std::error_code error;
    fs::create_directories(fs::path(root_).parent_path(), error);
    if (error) {
        throw Error(cannot_use).at(root_).because(error.value());
    }
    ensure_own_directory(root_, 0755);
    // Layers have set-user-ID programs of any age, and roots what containers keep to themselves.
    for (const char* closed : {"/layers",
                               "/roots",
                               "/tmp",
                               "/blobs",
                               "/blobs/sha256",
                               "/images",
                               "/names",
                               "/volumes"}) {
        ensure_own_directory(root_ + closed, 0700);
    }
}

std::optional<ImageUse> Store::open_image(const std::string& directory) const {
    UniqueFd held(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!held.valid() || ::flock(held.get(), LOCK_SH | LOCK_NB) < 0) {
        return std::nullopt; // not there, or about to go
    }
    const auto text =
        sys::read_small_file("/proc/self/fd/" + std::to_string(held.get()) + image_file);
    if (!text) {
        return std::nullopt;
    }
    ImageUse use{.image = oci::parse_stored_image(*text), .lock = std::move(held)};
    if (!is_same_file(use.lock.get(), image(use.image.digest))) {
        return std::nullopt; // removed before it was locked
    }
    return use;
}

std::optional<ImageUse> Store::find_by_digest(const std::string& digest) const {
    return open_image(image(digest));
}

std::optional<ImageUse> Store::find(const std::string& text) const {
    std::string prefix = text.starts_with("sha256:") ? text.substr(7) : text;
    const bool may_be_id = prefix.size() >= shortest_prefix && is_hex(prefix);
    if (prefix.size() == text.size() || !may_be_id) {
        for (const std::string& name : oci::local_names(oci::parse_reference(text))) {
            if (auto use = open_image(name_link(name))) {
                use->name = name;
                return use;
            }
        }
    }
    return may_be_id ? find_by_prefix(prefix) : std::nullopt;
}

std::optional<ImageUse> Store::find_by_prefix(const std::string& prefix) const {
    std::string found;
    std::string id;
    for (const oci::StoredImage& candidate : images()) {
        if (!candidate.id.starts_with(prefix) && !candidate.digest.starts_with(prefix)) {
            continue;
        }
        if (!found.empty() && id != candidate.id) {
            throw Error("several images have an id that begins so")
                .at(prefix)
                .mend("give more of it");
        }
        found = candidate.digest;
        id = candidate.id;
    }
    return found.empty() ? std::nullopt : find_by_digest(found);
}

std::vector<std::pair<std::string, std::string>> Store::names() const {
    std::vector<std::pair<std::string, std::string>> all;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(root_ + "/names", none)) {
        std::array<char, PATH_MAX> target{};
        const ssize_t size = ::readlink(entry.path().c_str(), target.data(), target.size());
        const std::string digest =
            fs::path(std::string(target.data(), size > 0 ? static_cast<std::size_t>(size) : 0))
                .filename();
        if (is_sha256(digest)) {
            all.emplace_back(decode_name(entry.path().filename()), digest);
        }
    }
    std::ranges::sort(all);
    return all;
}

std::vector<oci::StoredImage> Store::images() const {
    std::vector<oci::StoredImage> all;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(root_ + "/images", none)) {
        const auto text = sys::read_small_file(entry.path().string() + image_file);
        if (!text) {
            continue;
        }
        try {
            all.push_back(oci::parse_stored_image(*text));
        } catch (const Error&) {
            continue; // what is damaged is the affair of `system check`
        }
    }
    std::ranges::sort(all, {}, &oci::StoredImage::digest);
    return all;
}

void Store::set_name(const std::string& full_name, const std::string& digest) const {
    const std::string link = name_link(full_name);
    const std::string beside = temporary("link-" + std::to_string(::getpid()));
    ::unlink(beside.c_str());
    if (::symlink(("../images/" + digest).c_str(), beside.c_str()) < 0 ||
        ::rename(beside.c_str(), link.c_str()) < 0) {
        const int error_number = errno;
        ::unlink(beside.c_str());
        throw Error("cannot name the image").at(full_name).because(error_number);
    }
    sys::sync_directory(root_ + "/names");
}

bool Store::remove_name(const std::string& full_name) const {
    const std::string link = name_link(full_name);
    if (::unlink(link.c_str()) < 0) {
        if (errno == ENOENT) {
            return false;
        }
        throw Error("cannot remove the name of the image").at(full_name).because(errno);
    }
    sys::sync_directory(root_ + "/names");
    return true;
}

std::string Store::make_work_directory() const {
    std::string path = temporary("work-XXXXXX");
    if (::mkdtemp(path.data()) == nullptr) {
        throw Error(cannot_use).at(path).because(errno);
    }
    return path;
}

} // namespace sctr::storage
