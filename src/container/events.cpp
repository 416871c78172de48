// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "container/engine.hpp"
#include "container/usage.hpp"
#include "linux/syscalls.hpp"

namespace sctr::container {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// The directory of a living container's cgroup.
std::string cgroup_directory(const Record& record) {
    if (current_status(record) == Status::stopped) {
        throw Error("container not running").at(record.id);
    }
    require_own_cgroup(record, "read the statistics of");
    return "/sys/fs/cgroup" + own_cgroup(record);
}

/// Counts the OOM kills of a cgroup since the last time that it was asked. The file is kept open:
/// it can be read until the cgroup, which systemd removes as soon as it is empty, is gone.
class OomCounter {
  public:
    explicit OomCounter(const std::string& directory)
        : events_(::open((directory + "/memory.events").c_str(), O_RDONLY | O_CLOEXEC)) {
        take();
    }

    [[nodiscard]] int fd() const { return events_.get(); }

    std::uint64_t take() {
        std::array<char, 512> text{};
        const ssize_t size =
            events_.valid() ? ::pread(events_.get(), text.data(), text.size(), 0) : 0;
        if (size <= 0) {
            events_.reset(); // the cgroup is gone, or has no memory controller
            return 0;
        }
        const std::uint64_t seen = known_;
        known_ = oom_kills({text.data(), static_cast<std::size_t>(size)});
        return known_ - std::min(seen, known_);
    }

  private:
    UniqueFd events_;
    std::uint64_t known_ = 0;
};

int until(steady_clock::time_point end) {
    const auto rest = std::chrono::ceil<milliseconds>(end - steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(rest, 0, std::numeric_limits<int>::max()));
}

} // namespace

CgroupStats stats(const RecordStore& store, const std::string& id) {
    return read_cgroup_stats(cgroup_directory(store.load(id)));
}

void follow_events(const RecordStore& store,
                   const std::string& id,
                   std::chrono::microseconds interval,
                   const EventSink& sink) {
    const Record record = store.load(id);
    const UniqueFd init(sys::pidfd_open(record.pid));
    const std::string directory = cgroup_directory(record); // asked after opening init
    OomCounter kills(directory);
    auto next = steady_clock::now() + interval;
    for (;;) {
        std::array<struct pollfd, 2> items{{{init.get(), POLLIN, 0}, {kills.fd(), POLLPRI, 0}}};
        const int ready = ::poll(items.data(), items.size(), until(next));
        if (ready < 0 && errno != EINTR) {
            throw Error("cannot wait for events").at(id).because(errno);
        }
        for (std::uint64_t count = kills.take(); count > 0; --count) {
            sink.oom();
        }
        if (items[0].revents != 0) {
            return;
        }
        if (ready == 0) {
            sink.stats(read_cgroup_stats(directory));
            next = std::max(next + interval, steady_clock::now());
        }
    }
}

} // namespace sctr::container
