// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/journal_wait.hpp"
#include "cli/log.hpp"
#include "cli/log_view.hpp"
#include "cli/target.hpp"
#include "cli/time_point.hpp"
#include "cli/typed_names.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "container/id.hpp"
#include "container/log_fields.hpp"
#include "container/record_store.hpp"
#include "container/system_containers.hpp"
#include "host/caller.hpp"
#include "linux/clock.hpp"
#include "linux/syscalls.hpp"
#include "systemd/journal_reader.hpp"

namespace sctr::cli {
namespace {

namespace field = container::field;
using systemd::JournalReader;

struct LogsFlags {
    std::string name;
    bool follow = false;
    bool all = false;
    bool timestamps = false;
    bool json = false;
    std::optional<std::int64_t> lines;
    std::optional<std::int64_t> since_usec;
    std::optional<std::int64_t> until_usec;
};

LogsFlags read_flags(const Words& words) {
    LogsFlags flags;
    std::optional<std::string> lines;
    std::optional<std::string> since;
    std::optional<std::string> until;
    CLI::App app("Shows the output of a container, as it is in the journal.", "sctr logs");
    describe(app,
             "[OPTIONS] NAME",
             {"sctr logs web",
              "sctr logs -f -n 20 web",
              "sctr logs --since '2 hours ago' --until 10:00 -t web",
              "sctr logs --all web             # of every container that had the name",
              "journalctl -u sctr-web.scope    # the same, without sctr"});
    add_switch(app, "-f,--follow", flags.follow, "go on with what comes, until the container ends");
    add_text(app, "-n,--lines,--tail", lines, "only the last lines; 'all' (default)");
    add_text(app, "--since", since, "only from this time on: 10:00, 10m, '2 hours ago', RFC 3339");
    add_text(app, "--until", until, "only up to this time");
    add_switch(app, "-t,--timestamps", flags.timestamps, "begin each line with its time");
    add_switch(app, "-a,--all", flags.all, "of earlier containers of this name, too");
    add_switch(app, "--json", flags.json, "a JSON object a line, all on stdout");
    const auto names = parse_names(app, words);
    if (names.size() != 1) {
        throw Error(names.empty() ? "no container named" : "more than one container named")
            .mend("see 'sctr logs --help'");
    }
    flags.name = names.front();
    container::check_engine_id(flags.name);
    if (lines && *lines != "all") {
        const std::string flag = TypedNames(app, words).in("--lines", *lines);
        flags.lines = parse_in_range(flag, *lines, 0, std::numeric_limits<int>::max());
    }
    const std::int64_t now = sys::now_usec();
    if (since) {
        flags.since_usec = parse_time_point("--since", *since, now);
    }
    if (until) {
        flags.until_usec = parse_time_point("--until", *until, now);
    }
    return flags;
}

/// Only what a process of our own user wrote: whoever may write to the journal may write any name.
void match_container(JournalReader& journal, const std::string& name, const std::string& run) {
    journal.match("_UID", std::to_string(journal_uid()));
    journal.match(field::name, name);
    if (!run.empty()) {
        journal.match(field::run, run);
    }
}

/// The newest container of that name; empty when the journal has none.
std::string newest_run(const std::string& name) {
    JournalReader journal;
    match_container(journal, name, "");
    journal.seek_end();
    while (journal.previous()) {
        if (auto run = journal.get(field::run)) {
            return *run;
        }
    }
    return "";
}

bool has_other_runs(const std::string& name, const std::string& run) {
    JournalReader journal;
    match_container(journal, name, "");
    journal.seek_begin();
    return journal.next() && journal.get(field::run).value_or(run) != run;
}

std::optional<container::Record> find_record(const std::string& name) {
    try {
        if (is_for_system()) {
            return container::SystemContainers().running(name).record;
        }
        return container::RecordStore(container::RecordStore::default_root()).load(name);
    } catch (const Error&) {
        return std::nullopt;
    }
}

[[noreturn]] void throw_unknown(const std::string& name) {
    systemd::require_journal_access(journal_uid());
    throw Error("no such container")
        .at(name)
        .because("neither sctr nor the journal knows of one")
        .mend("see 'sctr ps -a' and 'sctr events --no-stream'");
}

/// Where the output is not in the journal, an empty one would be a lie.
void require_log(const std::string& name, const std::string& run) {
    JournalReader journal;
    match_container(journal, name, run);
    journal.match("MESSAGE_ID", container::event_message_id);
    journal.match(field::event, "create");
    journal.seek_end();
    const auto log = journal.previous() ? journal.get(field::log) : std::nullopt;
    if (log == "caller") {
        throw Error("the journal does not have the container's output")
            .at(name)
            .because("it goes to who called 'sctr run'")
            .mend("run it with --log journal");
    }
    if (log == "engine") {
        throw Error("the journal does not have the container's output")
            .at(name)
            .because("it goes to the engine that made it")
            .mend("ask that engine, for example with 'podman logs'");
    }
}

/// Collects what goes to stdout and stderr, and keeps the order of the two.
class Output {
  public:
    void add(int fd, std::string_view bytes) {
        constexpr std::size_t enough = std::size_t{64} * 1024;
        if (fd != fd_ || pending_.size() > enough) {
            flush();
        }
        fd_ = fd;
        pending_ += bytes;
    }

    void flush() {
        for (std::string_view rest = pending_; !rest.empty();) {
            const ssize_t written = ::write(fd_, rest.data(), rest.size());
            if (written < 0 && errno != EINTR) {
                throw Error("cannot write the log").because(errno);
            }
            rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
        }
        pending_.clear();
    }

  private:
    int fd_ = STDOUT_FILENO;
    std::string pending_;
};

LogEntry read_entry(const JournalReader& journal) {
    return {.time_usec = journal.time_usec(),
            .stream = journal.get(field::stream) == "stderr" ? 2 : 1,
            .priority =
                static_cast<int>(parse_int(journal.get("PRIORITY").value_or("")).value_or(6)),
            .prefix = journal.get(field::prefix).value_or(""),
            .text = journal.get("MESSAGE").value_or(""),
            .ends = !journal.get(field::partial),
            .name = journal.get(field::name).value_or(""),
            .run = journal.get(field::run).value_or(""),
            .image = journal.get(field::image).value_or("")};
}

/// Reads one container's entries, from where the flags say.
class LogReader {
  public:
    LogReader(const LogsFlags& flags, std::string run)
        : flags_(flags), run_(std::move(run)), text_(flags.timestamps) {
        const std::string matched = flags.all ? "" : run_;
        match_container(journal_, flags.name, matched);
        journal_.match(field::stream, "stdout");
        journal_.match(field::stream, "stderr");
        journal_.either_or();
        match_container(journal_, flags.name, matched);
        journal_.match("MESSAGE_ID", container::event_message_id);
        (void)journal_.fd(); // from here on, it notices what is new
        if (flags.lines) {
            seek_last_lines(*flags.lines);
        } else if (flags.since_usec) {
            journal_.seek_time(*flags.since_usec);
        } else {
            journal_.seek_begin();
        }
    }

    /// Shows what there is. Returns false when no more can come.
    bool show() {
        while (journal_.next()) {
            if (flags_.until_usec && journal_.time_usec() > *flags_.until_usec) {
                output_.flush();
                return false;
            }
            if (journal_.get(field::stream)) {
                show_entry(read_entry(journal_));
            } else if (is_end()) {
                output_.flush();
                return false;
            }
        }
        output_.flush();
        return true;
    }

    [[nodiscard]] const JournalReader& journal() const { return journal_; }

  private:
    void seek_last_lines(std::int64_t lines) {
        LineCount count(lines);
        if (flags_.until_usec) {
            journal_.seek_time(*flags_.until_usec + 1);
        } else {
            journal_.seek_end();
        }
        while (journal_.previous()) {
            const auto stream = journal_.get(field::stream);
            if (flags_.since_usec && journal_.time_usec() < *flags_.since_usec) {
                return;
            }
            if (stream && !count.take(stream == "stderr" ? 2 : 1, !journal_.get(field::partial))) {
                return;
            }
        }
        journal_.seek_begin();
    }

    /// True for the entry that tells of the end of the newest container.
    [[nodiscard]] bool is_end() const {
        const auto events = journal_.values(field::event);
        return journal_.get(field::run) == run_ && std::ranges::contains(events, "die");
    }

    void show_entry(const LogEntry& entry) {
        if (flags_.json) {
            output_.add(STDOUT_FILENO, log_json(entry));
        } else {
            output_.add(entry.stream, text_(entry));
        }
    }

    const LogsFlags& flags_;
    std::string run_;
    LogText text_;
    JournalReader journal_;
    Output output_;
};

/// A process that lives until the end: of a container that has ended, an invalid fd.
UniqueFd open_process(pid_t pid, std::uint64_t start) {
    UniqueFd process(sys::pidfd_open(pid));
    return container::is_alive(pid, start) ? std::move(process) : UniqueFd();
}

/// The process that writes the log of a container that runs; an invalid fd when it has ended.
UniqueFd open_supervisor(const std::optional<container::Record>& record, const std::string& run) {
    if (record && is_for_system()) {
        return open_process(record->pid, record->start_time); // who supervises it is in its record
    }
    if (!record || std::to_string(record->created_usec) != run) {
        return {};
    }
    return open_process(record->supervisor_pid, record->supervisor_start);
}

void follow(LogReader& reader, UniqueFd supervisor, std::optional<std::int64_t> until_usec) {
    while (supervisor.valid()) {
        switch (wait_for_entries(reader.journal(), supervisor.get(), until_usec)) {
        case Woken::by_entries:
            if (!reader.show()) {
                return;
            }
            break;
        case Woken::by_other:
            supervisor.reset();
            break;
        case Woken::by_time:
        case Woken::output_closed:
            return;
        }
    }
    // The supervisor has ended, and journald may not have written its last entries yet.
    constexpr std::int64_t patience_usec = 2'000'000;
    const std::int64_t end = sys::now_usec() + patience_usec;
    while (reader.show() && wait_for_entries(reader.journal(), -1, end) == Woken::by_entries) {
    }
}

} // namespace

int logs_verb(const Words& words) {
    const LogsFlags flags = read_flags(words);
    if (is_for_system()) {
        systemd::require_journal_access(journal_uid()); // else an empty log would be a lie
    }
    const auto record = find_record(flags.name);
    std::string run = newest_run(flags.name);
    if (run.empty()) {
        if (!record) {
            throw_unknown(flags.name);
        }
        run = std::to_string(record->created_usec);
    }
    if (!flags.all) {
        require_log(flags.name, run);
        if (has_other_runs(flags.name, run)) {
            log(::isatty(STDERR_FILENO) != 0 ? LogLevel::warn : LogLevel::info,
                "earlier containers were named '" + flags.name + "' too: see them with --all");
        }
    }
    UniqueFd supervisor = flags.follow ? open_supervisor(record, run) : UniqueFd();
    LogReader reader(flags, run);
    if (reader.show() && supervisor.valid()) {
        follow(reader, std::move(supervisor), flags.until_usec);
    }
    return 0;
}

} // namespace sctr::cli
