// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "container/record.hpp"
#include "oci/spec.hpp"

namespace sctr::container {

/// A held container directory: others that want the same container wait or fail.
class LockedRecord {
  public:
    LockedRecord(std::string directory, UniqueFd lock)
        : directory_(std::move(directory)), lock_(std::move(lock)) {}

    [[nodiscard]] const std::string& directory() const { return directory_; }

    /// Writes state.json beside the old one and renames it.
    void save(const Record& record) const;
    void save_config(const oci::Spec& spec) const;
    /// False when the directory has been removed, or is another container's by now.
    [[nodiscard]] bool is_current() const;
    /// Forgets the container, unless another of the same name has taken its place.
    void remove() const;
    /// Gives the lock back but not the place: lock() takes it again.
    void unlock() const;
    void lock() const;
    /// False when somebody else holds it.
    [[nodiscard]] bool try_lock() const;
    /// For a supervisor: as long as the fd is open, a sweep passes the container over without a
    /// look at it. An invalid fd where that cannot be; then it looks.
    [[nodiscard]] UniqueFd hold() const;

  private:
    std::string directory_;
    UniqueFd lock_;
};

/// The containers of this user on this host: the directories below the state root
/// (/run/sctr, or $XDG_RUNTIME_DIR/sctr).
class RecordStore {
  public:
    explicit RecordStore(std::string root);
    static std::string default_root();

    /// Makes a new container's directory and locks it. Throws Error when the name is in use by a
    /// container that still lives; a record whose process is gone or of another boot is swept.
    [[nodiscard]] LockedRecord create(const std::string& id) const;

    [[nodiscard]] bool has(const std::string& id) const;

    /// The record and its configuration. Throws Error when there is none of that name.
    [[nodiscard]] Record load(const std::string& id) const;
    [[nodiscard]] oci::Spec load_config(const std::string& id) const;
    [[nodiscard]] LockedRecord lock(const std::string& id) const;
    /// The same without taking the lock.
    [[nodiscard]] LockedRecord open(const std::string& id) const;

    /// All records, sorted by creation; what is unreadable or half made is left out.
    [[nodiscard]] std::vector<Record> list() const;

    /// Forgets what nobody will: containers whose process is gone while their supervisor could not
    /// say so, and those of another boot.
    /// `end_rest` is told of each that ran in this boot: more than its init may live on.
    void sweep(const std::function<void(const Record&)>& end_rest) const;

    [[nodiscard]] const std::string& root() const { return root_; }

    /// Makes the state root if it is missing. Throws Error.
    void make_root() const;

  private:
    std::string root_;
};

} // namespace sctr::container
