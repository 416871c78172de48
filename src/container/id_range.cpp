// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/id_range.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <ranges>
#include <vector>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {

namespace {

constexpr const char* lock_directory = "/run/systemd/nspawn-uid";
constexpr std::uint32_t first = 0x00080000;
constexpr std::uint32_t last = 0x6fff0000;
constexpr std::uint32_t size = 0x10000;
constexpr std::uint32_t count = (last - first) / size + 1;
constexpr std::uint32_t most_tries = 256;

struct Range {
    std::uint64_t start = 0;
    std::uint64_t length = 0;
};

/// What /etc/subuid and /etc/subgid give to accounts. Source: subuid(5).
std::vector<Range> given_ranges() {
    std::vector<Range> ranges;
    for (const char* path : {"/etc/subuid", "/etc/subgid"}) {
        const std::string text = sys::read_small_file(path).value_or("");
        for (const std::string& line : split(text, '\n')) {
            const auto fields = split(line, ':');
            if (fields.size() != 3) {
                continue;
            }
            const auto start = parse_uint(fields[1]);
            const auto length = parse_uint(fields[2]);
            if (start && length) {
                ranges.push_back({.start = *start, .length = *length});
            }
        }
    }
    return ranges;
}

bool is_given(const std::vector<Range>& ranges, std::uint64_t start) {
    for (const Range& range : ranges) {
        if (start < range.start + range.length && range.start < start + size) {
            return true;
        }
    }
    return false;
}

/// Held until this process ends; the file goes with an end that is not a kill.
class Lock {
  public:
    static std::optional<Lock> take(std::uint32_t start) {
        std::string path = std::string(lock_directory) + "/" + std::to_string(start);
        UniqueFd file(
            ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600));
        if (!file.valid()) {
            throw Error("cannot reserve ids for the container").at(path).because(errno);
        }
        struct flock whole{};
        whole.l_type = F_WRLCK;
        struct stat info{};
        if (::fcntl(file.get(), F_OFD_SETLK, &whole) < 0 || ::fstat(file.get(), &info) < 0 ||
            info.st_nlink == 0) {
            return std::nullopt; // another's, or one that is just going
        }
        return Lock(std::move(path), std::move(file));
    }

    Lock(Lock&&) noexcept = default;
    Lock& operator=(Lock&&) noexcept = default;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    ~Lock() {
        if (file_.valid()) {
            ::unlink(path_.c_str());
        }
    }

  private:
    Lock(std::string path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}

    std::string path_;
    UniqueFd file_;
};

std::uint32_t start_for(const std::string& name) {
    const std::string digest = Sha256::of({name.data(), name.size()});
    return static_cast<std::uint32_t>(std::stoul(digest.substr(0, 8), nullptr, 16) % count);
}

} // namespace

std::uint32_t reserve_id_range(const std::string& name) {
    static std::vector<Lock> held;
    std::error_code failure;
    std::filesystem::create_directories(lock_directory, failure);
    const auto given = given_ranges();
    const std::uint32_t begin = start_for(name);
    for (const std::uint32_t step : std::views::iota(0U, most_tries)) {
        const std::uint32_t start = first + (begin + step) % count * size;
        if (is_given(given, start)) {
            continue;
        }
        if (auto lock = Lock::take(start)) {
            held.push_back(std::move(*lock));
            return start;
        }
    }
    throw Error("no ids are free for the container")
        .at("--userns auto")
        .because("other containers, or accounts in /etc/subuid, have them")
        .mend("name some with --uidmap and --gidmap");
}

} // namespace sctr::container
