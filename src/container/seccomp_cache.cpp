// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/seccomp_cache.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <format>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "plan/codec.hpp"

namespace sctr::container {

namespace {

/// A tree takes the kernel half as long to load as a list, and is compiled once only.
constexpr auto layout = plan::FilterLayout::tree;

/// A file of the cache.
struct Entry {
    std::uint64_t checksum = 0; ///< of everything else
    std::string key;
    plan::SeccompStep step;
};

template <typename Archive, plan::codec::Is<Entry> R>
void visit_fields(Archive& archive, R& entry) {
    archive(entry.checksum, entry.key, entry.step);
}

/// FNV-1a: the same in every build, which std::hash need not be.
std::uint64_t hash(std::string_view bytes) {
    std::uint64_t value = 0xcbf29ce484222325;
    for (const char byte : bytes) {
        value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    }
    return value;
}

std::uint64_t checksum(Entry entry) {
    entry.checksum = 0;
    return hash(plan::codec::encode(entry));
}

/// Nobody else can have written what this is the status of.
bool is_own(int fd, mode_t type) {
    struct stat status{};
    constexpr mode_t others = 077;
    return ::fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == type &&
           status.st_uid == ::geteuid() && (status.st_mode & others) == 0;
}

/// The cache's directory, if it is there and nobody else's.
UniqueFd open_directory(const std::string& path) {
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return directory.valid() && is_own(directory.get(), S_IFDIR) ? std::move(directory)
                                                                 : UniqueFd();
}

std::optional<std::string> read_own_file(int directory, const std::string& name) {
    // Not to wait, should it be a pipe.
    const UniqueFd file(
        ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status{};
    constexpr off_t limit = 4 << 20; // far above what the longest program and profile take
    if (!file.valid() || !is_own(file.get(), S_IFREG) || ::fstat(file.get(), &status) != 0 ||
        status.st_size > limit) {
        return std::nullopt;
    }
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    const ssize_t size = ::pread(file.get(), bytes.data(), bytes.size(), 0);
    return size == status.st_size ? std::optional(std::move(bytes)) : std::nullopt;
}

std::optional<plan::SeccompStep>
load(int directory, const std::string& name, const std::string& key) {
    const auto bytes = read_own_file(directory, name);
    Entry entry;
    if (!bytes || !plan::codec::decode(*bytes, entry) || entry.key != key ||
        entry.checksum != checksum(entry)) {
        return std::nullopt;
    }
    return std::move(entry.step);
}

void remove_oldest(int directory) {
    struct Program {
        std::string name;
        struct timespec written;
    };

    const std::unique_ptr<DIR, int (*)(DIR*)> listing(
        ::fdopendir(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), &::closedir);
    std::vector<Program> programs;
    while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr) {
        struct stat status{};
        if (entry->d_name[0] != '.' &&
            ::fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            programs.push_back({entry->d_name, status.st_mtim});
        }
    }
    if (programs.size() <= SeccompCache::max_programs) {
        return;
    }
    std::ranges::sort(programs, {}, [](const Program& program) {
        return std::pair(program.written.tv_sec, program.written.tv_nsec);
    });
    programs.resize(programs.size() - SeccompCache::max_programs);
    for (const Program& program : programs) {
        ::unlinkat(directory, program.name.c_str(), 0);
    }
}

/// Written beside and renamed, so that nobody ever reads half a program.
void store(int directory, const std::string& name, const std::string& bytes) {
    const std::string beside = std::format("{}.{}", name, ::getpid());
    const UniqueFd file(::openat(
        directory, beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.valid()) {
        return;
    }
    const bool written =
        ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    if (!written || ::renameat(directory, beside.c_str(), directory, name.c_str()) != 0) {
        ::unlinkat(directory, beside.c_str(), 0);
        return;
    }
    remove_oldest(directory);
}

} // namespace

plan::SeccompStep SeccompCache::operator()(const oci::Seccomp& seccomp) const {
    Entry entry{.key = plan::seccomp_key(seccomp, layout)};
    const std::string name = std::format("{:016x}", hash(entry.key));
    UniqueFd place = open_directory(directory());
    if (place.valid()) {
        if (auto step = load(place.get(), name, entry.key)) {
            return std::move(*step);
        }
    }
    entry.step = plan::compile_seccomp(seccomp, layout);
    entry.checksum = checksum(entry);
    if (!place.valid()) {
        try {
            store_.make_root();
        } catch (const Error&) {
            return entry.step; // whoever needs it more than the cache does says so
        }
        ::mkdir(directory().c_str(), 0700);
        place = open_directory(directory());
    }
    if (place.valid()) {
        store(place.get(), name, plan::codec::encode(entry));
    }
    return entry.step;
}

} // namespace sctr::container
