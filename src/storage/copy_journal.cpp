// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/copy_journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/memfd.hpp"
#include "linux/process.hpp"
#include "linux/syscalls.hpp"

namespace sctr::storage {

namespace {

constexpr const char* cannot_note = "cannot note what is copied";

constexpr char of_ground = 'g';
constexpr char of_directory = 'd';
constexpr char of_beside = 'b';
constexpr char of_file = 'f';

/// Kind, directory, name, inode number, each ended by NUL.
constexpr std::size_t fields_of_record = 4;

struct Record {
    char kind = of_ground;
    MadeName made;
    ino_t inode = 0;
};

std::vector<Record> records_of(std::string_view journal) {
    const auto fields = split(journal, '\0');
    std::vector<Record> records;
    // After the last NUL is nothing, or the beginning of what was not written to its end.
    for (std::size_t i = 0; i + fields_of_record < fields.size(); i += fields_of_record) {
        Record record{.kind = fields[i].empty() ? of_ground : fields[i].front(),
                      .made = {.directory = fields[i + 1], .name = fields[i + 2]}};
        const std::string& inode = fields[i + 3];
        std::from_chars(inode.data(), inode.data() + inode.size(), record.inode);
        records.push_back(std::move(record));
    }
    return records;
}

/// Opens the directories of records, of which many in a row are of the same one.
class Grounds {
  public:
    explicit Grounds(int ground) : ground_(ground) {}

    /// -1 for what is not there any more, or is a link by now.
    int open(const std::string& path) {
        if (!path_ || *path_ != path) {
            path_ = path;
            opened_ = UniqueFd(
                sys::openat2(ground_,
                             path.empty() ? "." : path.c_str(),
                             O_PATH | O_DIRECTORY | O_CLOEXEC,
                             0,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
        }
        return opened_.get();
    }

  private:
    int ground_;
    std::optional<std::string> path_;
    UniqueFd opened_;
};

/// A name and no path, whoever wrote the journal.
bool is_name(const std::string& name) {
    return !name.empty() && name != "." && name != ".." && !name.contains('/');
}

/// True when nothing of the copy's has that name any more.
bool remove_record(const Record& record, int directory) {
    const char* name = record.made.name.c_str();
    if (record.kind == of_directory) {
        return ::unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT ||
               errno == ENOTDIR || errno == ENOTEMPTY || errno == EEXIST;
    }
    struct stat info{};
    if (::fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT;
    }
    if (S_ISDIR(info.st_mode) || (record.kind == of_file && info.st_ino != record.inode)) {
        return true; // somebody else's by now
    }
    return ::unlinkat(directory, name, 0) == 0 || errno == ENOENT;
}

} // namespace

CopyJournal::CopyJournal() : CopyJournal(sys::raise_fd(sys::memory_file("sctr-copy"))) {}

CopyJournal CopyJournal::on(int output) {
    struct stat info{};
    const int flags = ::fcntl(output, F_GETFL);
    if (::fstat(output, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size != 0 ||
        (static_cast<unsigned>(flags) & unsigned{O_ACCMODE}) != O_RDWR) {
        return {};
    }
    // 10: the numbers below are those of what sctr passes on.
    return CopyJournal(UniqueFd(::fcntl(output, F_DUPFD_CLOEXEC, 10)));
}

void CopyJournal::ground(const std::string& path) {
    write(of_ground, {.directory = path, .name = ""}, 0);
}

void CopyJournal::directory(const MadeName& made) {
    write(of_directory, made, 0);
}

void CopyJournal::beside(const MadeName& made) {
    // One after the other is of the same name, in a directory.
    if (made.name != last_beside_.name || made.directory != last_beside_.directory) {
        write(of_beside, made, 0);
        last_beside_ = made;
    }
}

void CopyJournal::file(const MadeName& made, ino_t inode) {
    write(of_file, made, inode);
}

void CopyJournal::write(char kind, const MadeName& made, ino_t inode) {
    std::string record(1, kind);
    for (const std::string& field : {made.directory, made.name, std::to_string(inode)}) {
        record += '\0' + field;
    }
    record += '\0';
    if (::write(file_.get(), record.data(), record.size()) != static_cast<ssize_t>(record.size())) {
        throw Error(cannot_note).because(errno);
    }
}

std::string CopyJournal::text() const {
    struct stat info{};
    if (::fstat(file_.get(), &info) < 0) {
        throw Error(cannot_note).because(errno);
    }
    std::string text(static_cast<std::size_t>(info.st_size), '\0');
    const ssize_t size = ::pread(file_.get(), text.data(), text.size(), 0);
    if (size < 0) {
        throw Error(cannot_note).because(errno);
    }
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::string ground_of(std::string_view journal) {
    constexpr std::size_t longest_record = 12288; // two paths at most, and little else
    for (const Record& record : records_of(journal.substr(0, longest_record))) {
        return record.kind == of_ground ? record.made.directory : "";
    }
    return {};
}

std::size_t take_back(std::string_view journal, int ground) {
    const auto records = records_of(journal);
    Grounds grounds(ground);
    std::size_t left = 0;
    for (auto record = records.rbegin(); record != records.rend(); ++record) {
        if (record->kind == of_ground || !is_name(record->made.name)) {
            continue;
        }
        const int directory = grounds.open(record->made.directory);
        if (directory < 0) {
            continue; // it has become a link, or was moved: what is there now is not the copy's
        }
        left += remove_record(*record, directory) ? 0 : 1;
    }
    return left;
}

} // namespace sctr::storage
