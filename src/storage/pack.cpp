// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/pack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "storage/files.hpp"
#include "storage/layer_stream.hpp"
#include "storage/shown_path.hpp"

namespace sctr::storage {

namespace {

struct CloseWriter {
    void operator()(struct archive* archive) const { ::archive_write_free(archive); }
};

struct FreeEntry {
    void operator()(struct archive_entry* entry) const { ::archive_entry_free(entry); }
};

using Entry = std::unique_ptr<struct archive_entry, FreeEntry>;

bool is_overlay_xattr(std::string_view name) {
    return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

/// Files there are no files, and the reading of some of them does things.
bool is_kernels(int directory) {
    constexpr std::array<unsigned long, 6> kinds = {PROC_SUPER_MAGIC,
                                                    SYSFS_MAGIC,
                                                    CGROUP2_SUPER_MAGIC,
                                                    DEVPTS_SUPER_MAGIC,
                                                    SECURITYFS_MAGIC,
                                                    DEBUGFS_MAGIC};
    struct statfs info{};
    return ::fstatfs(directory, &info) == 0 &&
           std::ranges::contains(kinds, static_cast<unsigned long>(info.f_type));
}

class Packer {
  public:
    Packer(int output, PackOptions options)
        : options_(std::move(options)), writer_(::archive_write_new()) {
        struct archive* writer = writer_.get();
        ::archive_write_set_format_pax_restricted(writer);
        ::archive_write_set_bytes_in_last_block(writer, 1);
        check(::archive_write_open_fd(writer, output));
    }

    Packer(const Packer&) = delete;
    Packer& operator=(const Packer&) = delete;
    Packer(Packer&&) = delete;
    Packer& operator=(Packer&&) = delete;

    /// What is not complete gets no end mark, by which it would look so.
    ~Packer() { ::archive_write_fail(writer_.get()); }

    void run(const std::string& path) {
        const UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        struct stat info{};
        if (!root.valid() || ::fstat(root.get(), &info) < 0) {
            throw Error(options_.what).at(path).because(errno);
        }
        device_ = info.st_dev;
        add_directory(root.get(), options_.as);
        check(::archive_write_close(writer_.get()));
    }

    void run(int directory, const std::string& name) {
        if (!add(directory, name, options_.as)) {
            errno = ENOENT;
            fail(options_.as);
        }
        check(::archive_write_close(writer_.get()));
    }

  private:
    /// Of what is in the archive at `path`.
    [[nodiscard]] std::string shown(const std::string& path) const {
        const std::string below = path.substr(options_.as.size());
        return shown_path(options_.shown,
                          escape_controls(below.starts_with('/') ? below.substr(1) : below));
    }

    [[noreturn]] void fail(const std::string& path) const {
        const int error_number = errno;
        throw Error(options_.what).at(shown(path)).because(error_number);
    }

    /// The archive cannot be written.
    [[noreturn]] void fail_to_write() const {
        const int error_number = ::archive_errno(writer_.get());
        Error error(options_.what);
        error.at(options_.shown).because(reason_of(writer_.get()));
        throw error_number > 0 ? error.because(error_number) : error;
    }

    void check(int status) const {
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
            fail_to_write();
        }
    }

    void add_directory(int directory, const std::string& path) {
        struct stat info{};
        if (::fstat(directory, &info) < 0) {
            fail(path);
        }
        const bool is_opaque = write_member(directory, path.empty() ? "./" : path + "/", info, "");
        if (options_.meaning == Meaning::tree && path != options_.as && is_kernels(directory)) {
            return;
        }
        if (is_opaque && !path.empty() && options_.meaning == Meaning::layer) {
            write_marker(path + "/.wh..wh..opq");
        }
        const auto names = names_in(directory);
        if (!names) {
            fail(path);
        }
        for (const std::string& name : *names) {
            // A running container may have removed it meanwhile.
            (void)add(directory, name, path.empty() ? name : path + "/" + name);
        }
    }

    /// False when it is not there any more.
    bool add(int parent, const std::string& name, const std::string& path) {
        if (path.size() >= PATH_MAX) { // nobody could unpack it, and there is no end to how deep
            throw Error(options_.what)
                .at(shown(path).substr(0, 80) + "...")
                .because("a path longer than 4095 bytes");
        }
        const UniqueFd node(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct stat info{};
        if (!node.valid() || ::fstat(node.get(), &info) < 0) {
            if (errno == ENOENT) {
                return false;
            }
            fail(path);
        }
        const bool is_layer = options_.meaning == Meaning::layer;
        if (is_layer && info.st_dev != device_ && !S_ISREG(info.st_mode)) {
            return true; // mounted there
        }
        if (is_layer && S_ISCHR(info.st_mode) && info.st_rdev == 0) {
            const auto slash = path.rfind('/') + 1; // npos + 1 is 0
            write_marker(path.substr(0, slash) + ".wh." + name);
        } else if (S_ISDIR(info.st_mode)) {
            const UniqueFd directory(::openat(node.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            if (directory.valid()) {
                add_directory(directory.get(), path);
            } else if (errno != ENOENT) { // removed meanwhile
                fail(path);
            }
        } else if (!S_ISSOCK(info.st_mode)) {
            (void)write_member(node.get(), path, info, link_target(node.get(), info, path));
        }
        return true;
    }

    [[nodiscard]] std::string
    link_target(int node, const struct stat& info, const std::string& path) const {
        if (!S_ISLNK(info.st_mode)) {
            return {};
        }
        std::array<char, PATH_MAX> target{};
        const ssize_t size = ::readlinkat(node, "", target.data(), target.size());
        if (size < 0) {
            fail(path);
        }
        return {target.data(), static_cast<std::size_t>(size)};
    }

    /// Returns whether it is an opaque directory.
    bool write_member(int node,
                      const std::string& path,
                      const struct stat& info,
                      const std::string& target) {
        const Entry entry(::archive_entry_new());
        ::archive_entry_copy_stat(entry.get(), &info);
        ::archive_entry_unset_atime(entry.get());
        ::archive_entry_unset_ctime(entry.get());
        ::archive_entry_unset_birthtime(entry.get());
        ::archive_entry_copy_pathname(entry.get(), path.c_str());
        if (S_ISLNK(info.st_mode)) {
            ::archive_entry_copy_symlink(entry.get(), target.c_str());
        }
        const bool is_opaque = add_xattrs(node, entry.get());
        if (S_ISREG(info.st_mode) && info.st_nlink > 1) {
            const auto [first, is_new] = links_.emplace(std::pair{info.st_dev, info.st_ino}, path);
            if (!is_new) {
                ::archive_entry_copy_hardlink(entry.get(), first->second.c_str());
                ::archive_entry_set_size(entry.get(), 0);
                check(::archive_write_header(writer_.get(), entry.get()));
                return false;
            }
        }
        check(::archive_write_header(writer_.get(), entry.get()));
        if (S_ISREG(info.st_mode)) {
            write_content(node, path, info.st_size);
        }
        return is_opaque;
    }

    static bool add_xattrs(int node, struct archive_entry* entry) {
        const std::string link = "/proc/self/fd/" + std::to_string(node);
        std::vector<char> names(1 << 16);
        std::vector<char> value(1 << 16);
        const ssize_t size = ::listxattr(link.c_str(), names.data(), names.size());
        bool is_opaque = false;
        for (ssize_t at = 0; at < size;) {
            const std::string name(names.data() + at);
            at += static_cast<ssize_t>(name.size()) + 1;
            const ssize_t length =
                ::getxattr(link.c_str(), name.c_str(), value.data(), value.size());
            if (length < 0 || name == "security.selinux") {
                continue;
            }
            if (is_overlay_xattr(name)) {
                is_opaque = is_opaque || (name.ends_with(".opaque") && value.front() == 'y');
                continue;
            }
            ::archive_entry_xattr_add_entry(
                entry, name.c_str(), value.data(), static_cast<std::size_t>(length));
        }
        return is_opaque;
    }

    void write_content(int node, const std::string& path, off_t size) {
        const std::string link = "/proc/self/fd/" + std::to_string(node);
        const UniqueFd file(::open(link.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file.valid()) {
            fail(path);
        }
        std::vector<char> block(1 << 18);
        while (size > 0) {
            const ssize_t got = ::read(
                file.get(), block.data(), std::min(block.size(), static_cast<std::size_t>(size)));
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got < 0) {
                fail(path);
            }
            if (got == 0) {
                require_no_more(path);
                return;
            }
            if (::archive_write_data(writer_.get(), block.data(), static_cast<std::size_t>(got)) <
                0) {
                fail_to_write();
            }
            size -= got;
        }
    }

    /// A file has become shorter meanwhile, and libarchive would fill the rest with zeros: in a
    /// layer these are taken for it, a copy would be none.
    void require_no_more(const std::string& path) const {
        if (options_.meaning == Meaning::tree) {
            throw Error(options_.what)
                .at(shown(path))
                .because("it has become shorter while it was read");
        }
    }

    void write_marker(const std::string& path) {
        const Entry entry(::archive_entry_new());
        ::archive_entry_copy_pathname(entry.get(), path.c_str());
        ::archive_entry_set_mode(entry.get(), S_IFREG | 0600U);
        ::archive_entry_set_mtime(entry.get(), 0, 0);
        ::archive_entry_set_size(entry.get(), 0);
        check(::archive_write_header(writer_.get(), entry.get()));
    }

    PackOptions options_;
    dev_t device_ = 0;
    std::unique_ptr<struct archive, CloseWriter> writer_;
    std::map<std::pair<dev_t, ino_t>, std::string> links_;
};

} // namespace

void pack_tree(const std::string& directory, int output, const PackOptions& options) {
    Packer(output, options).run(directory);
}

void pack_node(int directory, const std::string& name, int output, const PackOptions& options) {
    Packer(output, options).run(directory, name);
}

} // namespace sctr::storage
