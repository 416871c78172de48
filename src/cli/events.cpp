// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/event_view.hpp"
#include "cli/flags.hpp"
#include "cli/journal_wait.hpp"
#include "cli/output_format.hpp"
#include "cli/target.hpp"
#include "cli/template_views.hpp"
#include "cli/time_point.hpp"
#include "cli/verbs.hpp"
#include "container/log_fields.hpp"
#include "linux/clock.hpp"
#include "systemd/journal_reader.hpp"

namespace sctr::cli {
namespace {

namespace field = container::field;
using container::Event;
using systemd::JournalReader;

/// What systemd says of units, which is all there is about the end of an engine's container: the
/// engine reaps it. Source: systemd, sd-messages.h.
constexpr const char* unit_success_id = "7ad2d189f7e94e70a38c781354912448";
constexpr const char* unit_failure_id = "d9b373ed55a64feb8242e02dbe79a49c";
constexpr const char* unit_oom_id = "fe6faa94e7774663a0da52717891d8ef";

struct EventsFlags {
    OutputFormat format{std::nullopt, false};
    bool no_stream = false;
    std::optional<std::int64_t> since_usec;
    std::optional<std::int64_t> until_usec;
    EventFilter filter;
};

EventsFlags read_flags(const Words& words) {
    EventsFlags flags;
    std::optional<std::string> since;
    std::optional<std::string> format;
    bool json = false;
    std::optional<std::string> until;
    std::vector<std::string> filters;
    CLI::App app("Shows what happens to containers, as it is in the journal.", "sctr events");
    describe(app,
             "[OPTIONS]",
             {"sctr events",
              "sctr events --since 1h --no-stream",
              "sctr events --filter container=web --filter event=die --json",
              "sctr events --format '{{.Time}} {{.Status}} {{.Name}} {{.ContainerExitCode}}'",
              "journalctl MESSAGE_ID=" + std::string(container::event_message_id)});
    add_text(app, "--since", since, "from this time on: 10:00, 10m, '2 hours ago', RFC 3339");
    add_text(app, "--until", until, "up to this time, which may be yet to come");
    add_texts(app, "--filter", filters, "container=NAME, image=NAME or event=TYPE; many times");
    add_switch(app, "--no-stream", flags.no_stream, "end after what has happened so far");
    add_switch(app, "--json", json, "a JSON object a line");
    add_format(app, "--format", format);
    parse_flags(app, words);
    flags.format = OutputFormat(format, json);
    flags.format.refuse_table();
    if (flags.format.is_template()) { // what is wrong with it is said at once, and not a day later
        (void)flags.format.lines({event_view(event_object({.exit_status = 0}))});
    }
    for (const std::string& filter : filters) {
        flags.filter.add(filter);
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

/// Only what our own user, or his systemd, wrote: whoever may write to the journal may write
/// anything.
void match_own(JournalReader& journal) {
    journal.match("_UID", std::to_string(journal_uid()));
}

EventEntry read_entry(const JournalReader& journal) {
    return {.time_usec = journal.time_usec(),
            .name = journal.get(field::name).value_or(""),
            .unit = journal.get(field::unit).value_or(""),
            .run = journal.get(field::run).value_or(""),
            .image = journal.get(field::image).value_or(""),
            .command = journal.get(field::command).value_or(""),
            .health = journal.get(field::health).value_or(""),
            .exit_status = parse_int(journal.get(field::exit_status).value_or(""))};
}

/// What was said when an engine's container was made; nothing for a unit that is none.
std::optional<EventEntry> find_engine_unit(const std::string& unit, std::int64_t before_usec) {
    if (!unit.ends_with(".scope")) {
        return std::nullopt;
    }
    JournalReader journal;
    match_own(journal);
    journal.match("MESSAGE_ID", container::event_message_id);
    journal.match(field::event, container::to_string(Event::create));
    journal.match(field::unit, unit);
    journal.seek_time(before_usec);
    if (!journal.previous() || journal.get(field::log) != "engine") {
        return std::nullopt;
    }
    return read_entry(journal);
}

class EventReader {
  public:
    explicit EventReader(const EventsFlags& flags) : flags_(flags) {
        match_own(journal_);
        journal_.match("MESSAGE_ID", container::event_message_id);
        journal_.either_or();
        match_own(journal_);
        if (has_system_units()) {
            journal_.match("_PID", "1");
        } else {
            journal_.match("_SYSTEMD_USER_UNIT", "init.scope");
        }
        for (const char* id : {unit_success_id, unit_failure_id, unit_oom_id}) {
            journal_.match("MESSAGE_ID", id);
        }
        (void)journal_.fd(); // from here on, it notices what is new
        seek();
    }

    /// Shows what there is. Returns false when no more can come.
    bool show() {
        bool goes_on = true;
        while (goes_on && journal_.next()) {
            if (flags_.until_usec && journal_.time_usec() > *flags_.until_usec) {
                goes_on = false;
            } else if (journal_.get("MESSAGE_ID") == container::event_message_id) {
                show_own();
            } else {
                show_unit();
            }
        }
        if (std::fflush(stdout) != 0) {
            throw Error("cannot write the events").because(errno);
        }
        return goes_on;
    }

    [[nodiscard]] const JournalReader& journal() const { return journal_; }

  private:
    void seek() {
        if (flags_.since_usec) {
            journal_.seek_time(*flags_.since_usec);
            return;
        }
        if (!flags_.no_stream && !flags_.until_usec) {
            journal_.seek_end();
            if (journal_.previous()) {
                return; // the next is new
            }
        }
        journal_.seek_begin();
    }

    void show_own() {
        EventEntry entry = read_entry(journal_);
        const auto status = entry.exit_status;
        std::vector<Event> events;
        for (const std::string& name : journal_.values(field::event)) {
            if (const auto event = container::parse_event(name)) {
                events.push_back(*event);
            }
        }
        std::ranges::sort(events); // journald does not keep their order
        for (const Event event : events) {
            entry.event = event;
            entry.exit_status = event == Event::die ? status : std::nullopt;
            print(entry);
        }
    }

    void show_unit() {
        const auto unit = journal_.get(has_system_units() ? "UNIT" : "USER_UNIT").value_or("");
        if (auto entry = find_engine_unit(unit, journal_.time_usec())) {
            entry->time_usec = journal_.time_usec();
            entry->event = journal_.get("MESSAGE_ID") == unit_oom_id ? Event::oom : Event::die;
            print(*entry);
        }
    }

    void print(const EventEntry& entry) const {
        if (flags_.filter.matches(entry)) {
            const std::string text = flags_.format.is_template()
                                         ? flags_.format.lines({event_view(event_object(entry))})
                                     : flags_.format.is_json() ? event_json(entry)
                                                               : event_text(entry);
            std::fwrite(text.data(), 1, text.size(), stdout);
        }
    }

    const EventsFlags& flags_;
    JournalReader journal_;
};

} // namespace

int events_verb(const Words& words) {
    const EventsFlags flags = read_flags(words);
    systemd::require_journal_access(journal_uid());
    EventReader reader(flags);
    bool goes_on = reader.show() && !flags.no_stream;
    while (goes_on) {
        switch (wait_for_entries(reader.journal(), -1, flags.until_usec)) {
        case Woken::by_entries:
            goes_on = reader.show();
            break;
        case Woken::by_other:
        case Woken::by_time:
        case Woken::output_closed:
            goes_on = false;
            break;
        }
    }
    return 0;
}

} // namespace sctr::cli
