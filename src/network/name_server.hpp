// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "linux/program.hpp"
#include "network/netavark_lock.hpp"
#include "network/revival.hpp"
#include "network/state.hpp"

/// aardvark-dns, which answers for all bridges at once. netavark starts it, and tells it of names.
namespace sctr::network {

/// Whether the container asks it for names. Pure.
bool asks_name_server(const Attachment& attachment);

/// Where its files are: one of each network that has names, and the one with its process number.
std::string name_server_directory();

/// The one that runs; an invalid fd when there is none.
UniqueFd name_server();
std::optional<pid_t> name_server_pid();

/// Removes the number of one that was killed: netavark would tell whatever process has it next of
/// names, by a signal of which most end. The caller has netavark's lock.
void forget_dead_name_server();

/// Starts it again when it has ended while it is needed. Every supervisor of a container that asks
/// it has one of these, and whoever takes netavark's lock first does it: the others find it
/// running.
class NameServerWatch {
  public:
    /// Of the container whose supervisor this is.
    explicit NameServerWatch(std::string container);
    /// With what is being started.
    ~NameServerWatch();

    NameServerWatch(const NameServerWatch&) = delete;
    NameServerWatch& operator=(const NameServerWatch&) = delete;

    /// What tells of its end, and when handle() is to be called at the latest (-1: by that alone).
    void add_to(std::vector<struct pollfd>& items) const;
    [[nodiscard]] int timeout_ms() const;

    /// Returns what a person should know: that it was started, or is no more.
    std::optional<Error> handle(const std::vector<struct pollfd>& items);

  private:
    std::optional<Error> look();
    std::optional<Error> start();
    std::optional<Error> finish_start();
    Error give_up(std::string_view why);

    void look_again(Clock::duration later) { look_at_ = Clock::now() + later; }

    std::string container_;
    std::string why_; ///< it is to be started
    bool is_given_up_ = false;
    UniqueFd server_;
    std::optional<Clock::time_point> look_at_;
    NetavarkLock lock_; ///< while it is being started
    std::unique_ptr<sys::RunningProgram> starting_;
    UniqueFd errors_;
};

} // namespace sctr::network
