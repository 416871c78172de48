// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <thread>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/output_format.hpp"
#include "cli/stats_view.hpp"
#include "cli/target.hpp"
#include "cli/typed_names.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "container/system_containers.hpp"
#include "systemd/manager.hpp"

namespace sctr::cli {
namespace {

using container::RecordStore;
using container::Usage;

enum class Format { table, json, openmetrics, by_template };

Format parse_format(const std::optional<std::string>& text, bool json) {
    if (!text) {
        return json ? Format::json : Format::table;
    }
    if (*text == "table" || *text == "json") {
        return *text == "json" ? Format::json : Format::table;
    }
    if (*text == "openmetrics") {
        return Format::openmetrics;
    }
    if (text->contains("{{")) {
        return Format::by_template;
    }
    throw bad_value("--format", *text, "", "table, json, openmetrics or a template");
}

std::chrono::seconds parse_interval(const std::optional<std::string>& text) {
    constexpr std::int64_t day = 24L * 3600;
    return std::chrono::seconds(text ? parse_in_range("--interval", *text, 1, day) : 1);
}

/// The containers that are asked about, and where the answers are.
class Source {
  public:
    explicit Source(std::vector<std::string> names) : names_(std::move(names)) {
        if (is_for_system()) {
            system_.emplace();
        }
        for (const std::string& name : names_) {
            check(name);
        }
    }

    /// Everything that runs, or what is named of it.
    std::vector<Usage> sample() {
        std::vector<Usage> usages;
        const auto add = [&usages](std::optional<Usage> usage) {
            if (usage) {
                usages.push_back(std::move(*usage));
            }
        };
        if (system_) {
            for (const auto& [record, status] : system_->list(false)) {
                if (is_wanted(record.id)) {
                    add(container::usage_of_cgroup(record.id, record.unit, record.cgroup));
                }
            }
        } else {
            for (const container::Record& record : store_.list()) {
                if (is_wanted(record.id)) {
                    add(container::usage_of(record));
                }
            }
        }
        add_counted(usages);
        return usages;
    }

    [[nodiscard]] bool has_names() const { return !names_.empty(); }

  private:
    /// A name that is wrong from the start is an error; one that ends later is not.
    void check(const std::string& name) {
        container::check_id(name);
        if (system_) {
            static_cast<void>(system_->running(name)); // throws what says so
        } else if (!container::usage_of(store_.load(name))) {
            throw Error("container not running").at(name).mend("see 'sctr ps -a'");
        }
    }

    /// What units with IPAccounting= have counted. Without systemd there are the counters of
    /// devices.
    void add_counted(std::vector<Usage>& usages) {
        try {
            for (Usage& usage : usages) {
                if (!manager_) {
                    manager_.emplace(system_ ? systemd::Instance::system : systemd::own_instance());
                }
                if (const auto counted =
                        usage.unit.empty() ? std::nullopt : manager_->ip_counters(usage.unit)) {
                    usage.traffic = {.received_bytes = counted->received_bytes,
                                     .received_packets = counted->received_packets,
                                     .sent_bytes = counted->sent_bytes,
                                     .sent_packets = counted->sent_packets};
                    usage.is_unit_traffic = true;
                }
            }
        } catch (const Error&) {
            manager_.reset(); // a bus that was restarted is there for the next sample
        }
    }

    [[nodiscard]] bool is_wanted(const std::string& name) const {
        return names_.empty() || std::ranges::contains(names_, name);
    }

    std::vector<std::string> names_;
    RecordStore store_{RecordStore::default_root()};
    std::optional<container::SystemContainers> system_;
    std::optional<systemd::Manager> manager_;
};

void show(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    if (std::fflush(stdout) != 0) {
        throw Error("cannot write to standard output").because(errno);
    }
}

/// The text over what the screen showed before.
std::string over_the_last(const std::string& text) {
    std::string screen = "\x1b[H";
    for (const std::string& line : split(text, '\n')) {
        screen += line + "\x1b[K\n";
    }
    screen.pop_back(); // a newline in the last row would scroll
    return screen + "\x1b[J";
}

class Shares {
  public:
    /// The rows of a sample, with the CPU's share since the one before.
    std::vector<StatsRow> rows(std::vector<Usage> usages) {
        std::vector<StatsRow> rows;
        std::map<std::string, Usage> seen;
        for (Usage& usage : usages) {
            const auto earlier = last_.find(usage.id);
            seen.emplace(usage.id, usage);
            const auto percent =
                earlier == last_.end() ? std::nullopt : cpu_percent(earlier->second, usage);
            rows.push_back({.usage = std::move(usage), .cpu_percent = percent});
        }
        last_ = std::move(seen);
        return rows;
    }

  private:
    std::map<std::string, Usage> last_;
};

struct View {
    Format format = Format::table;
    OutputFormat shape{std::nullopt, false}; ///< of a template
    bool stream = true;
    std::chrono::seconds interval{1};
};

void run(Source& source, const View& view) {
    const bool live = view.stream && view.format != Format::json && ::isatty(STDOUT_FILENO) == 1;
    Shares shares;
    shares.rows(source.sample());
    if (live) {
        show("\x1b[2J");
    }
    // A share of CPU needs some time to be a share of.
    std::chrono::milliseconds wait(500);
    for (;;) {
        std::this_thread::sleep_for(wait);
        const auto rows = shares.rows(source.sample());
        if (view.stream && source.has_names() && rows.empty()) {
            return;
        }
        const std::string text = view.format == Format::by_template
                                     ? view.shape.lines(stats_views(rows))
                                 : view.format == Format::json ? stats_json(rows, view.stream)
                                                               : stats_table(rows);
        show(live ? over_the_last(text) : text);
        if (!view.stream) {
            return;
        }
        wait = view.interval;
    }
}

} // namespace

int stats_verb(const Words& words) {
    std::optional<std::string> format;
    std::optional<std::string> interval;
    bool json = false;
    bool no_stream = false;
    CLI::App app("Shows what running containers use: CPU, memory, tasks, I/O and pressure.",
                 "sctr stats");
    describe(app,
             "[OPTIONS] [NAME...]",
             {"sctr stats",
              "sctr stats --no-stream --json web",
              "sctr stats --no-stream --format 'table {{.Name}}\\t{{.CPUPerc}}\\t{{.MemUsage}}'",
              "sctr stats --format openmetrics > /var/lib/prometheus/node-exporter/sctr.prom"});
    add_switch(app, "--no-stream", no_stream, "once, instead of every second");
    add_switch(app, "--json", json, "a JSON array; one line each time, when it goes on");
    add_text(
        app, "--format", format, "table (default), json, openmetrics (once), or a Go template");
    add_text(app, "-i,--interval", interval, "seconds between two looks (default: 1)");
    const std::vector<std::string> names = parse_names(app, words);
    const Format kind = parse_format(format, json);
    const View view{
        .format = kind,
        .shape = OutputFormat(kind == Format::by_template ? format : std::nullopt, json),
        .stream = !no_stream,
        .interval = as_typed(TypedNames(app, words), [&] { return parse_interval(interval); })};
    Source source(names);
    if (view.format == Format::openmetrics) {
        show(stats_openmetrics(source.sample()));
    } else {
        run(source, view);
    }
    return 0;
}

} // namespace sctr::cli
