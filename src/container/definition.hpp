// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace sctr::container {

/// What is needed to start a container again: what was asked for, as it was asked, and what that
/// took from its caller. Device numbers, accounts, other containers' pids are looked up anew at
/// each start, as they may be others after a reboot.
struct Definition {
    std::string name;
    std::vector<std::string> flags;                 ///< of `sctr run`; the last of a kind wins
    std::vector<std::string> command;               ///< with its arguments
    std::string working_directory;                  ///< where relative paths begin
    std::map<std::string, std::string> environment; ///< variables that the flags name without value
    std::vector<std::string> env_files;             ///< their texts
    std::string description;
    std::string rootfs;
    std::string image;        ///< name of the image that it is made from; empty: a directory
    std::string image_digest; ///< of its manifest: what the name meant when it was made
    std::string volume_owner; ///< names its anonymous volumes; empty: it has none
    std::vector<std::string> volumes;          ///< names of all that it mounts
    std::map<std::string, std::string> labels; ///< of the image and the caller
    std::int64_t created_usec = 0;             ///< CLOCK_REALTIME
    bool forget = false;                       ///< --rm: removed when it ends

    bool operator==(const Definition&) const = default;
};

std::string to_json(const Definition& definition);
/// Throws Error when the text is no definition, or of a newer sctr.
Definition definition_from_json(const std::string& text);

/// How a stored container's latest run went. What has begun and not ended in another boot ended
/// with it.
struct LastRun {
    std::string boot_id;
    std::int64_t started_usec = 0;  ///< CLOCK_REALTIME
    std::int64_t finished_usec = 0; ///< 0: not ended, or nobody could write it down
    std::optional<int> exit_status; ///< as a shell sees it
    bool oom_killed = false;
    std::string error; ///< why the command could not be executed; empty: it was

    bool operator==(const LastRun&) const = default;
};

std::string to_json(const LastRun& run);
/// A text that a power cut has spoilt is a run of which nothing is known.
LastRun last_run_from_json(const std::string& text);

/// The stored containers: one directory each, that is there as a whole or not at all, whatever
/// happens meanwhile: what belongs to it elsewhere is made before it and goes after it, and what a
/// power cut leaves of the one or the other goes when the next is made or removed. None of it is
/// needed to look at what runs (see RecordStore).
class DefinitionStore {
  public:
    /// Removes what a container has elsewhere; true when there was something.
    using RemoveRest = std::function<bool(const std::string& name)>;

    explicit DefinitionStore(std::string root, RemoveRest remove_rest = {})
        : root_(std::move(root)), remove_rest_(std::move(remove_rest)) {}

    /// /var/lib/sctr/containers; a user's: ~/.local/share/sctr/containers.
    static std::string default_root();

    [[nodiscard]] bool has(const std::string& name) const;
    /// Throws Error when there is none of that name.
    [[nodiscard]] Definition load(const std::string& name) const;
    [[nodiscard]] std::vector<Definition> list() const; ///< sorted by creation

    /// `make_rest` makes what it has elsewhere. Throws Error, also when the name is taken; nothing
    /// of it is there then.
    void add(const Definition& definition, const std::function<void()>& make_rest = {}) const;
    /// Replaces the one of that name.
    void replace(const Definition& definition) const;
    /// Adds `definition`, whose latest run is that of `name`.
    void copy(const std::string& name,
              const Definition& definition,
              const std::function<void()>& make_rest) const;
    /// True when there was something elsewhere.
    bool remove(const std::string& name) const;

    /// Removes what a power cut has left half made or half removed; true when there was something
    /// elsewhere.
    bool recover() const;

    [[nodiscard]] std::optional<LastRun> last_run(const std::string& name) const;
    /// To disk, once it has ended: nobody should learn of an end that a power cut takes back.
    /// Throws Error; of the latest run nothing is known then.
    void save(const std::string& name, const LastRun& run) const;

    /// Held by whoever changes a container's definition and its unit. Throws Error when there is
    /// none of that name.
    [[nodiscard]] UniqueFd lock(const std::string& name) const;

  private:
    [[nodiscard]] std::string path(const std::string& name) const;
    [[nodiscard]] UniqueFd lock_root() const;
    bool recover_locked() const;
    bool remove_rest(const std::string& name) const;

    std::string root_;
    RemoveRest remove_rest_;
};

} // namespace sctr::container
