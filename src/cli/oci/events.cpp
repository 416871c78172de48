// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cerrno>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/oci/engine.hpp"
#include "cli/oci/stats_json.hpp"
#include "cli/values.hpp"
#include "container/engine.hpp"

/// events: one line of JSON each, as runc prints them.
namespace sctr::cli::engine {
namespace {

using nlohmann::ordered_json;

std::chrono::microseconds read_interval(const std::optional<std::string>& flag) {
    const std::string text = flag.value_or("5s");
    const auto interval = parse_duration_usec(text);
    constexpr std::uint64_t a_year = 365ULL * 24 * 3600 * 1'000'000;
    if (!interval || *interval == 0 || *interval > a_year) {
        throw bad_value("--interval", text, "", "a time above 0: 5s, 500ms, 1m30s");
    }
    return std::chrono::microseconds(*interval);
}

/// Whoever reads follows along, so that each line goes out at once.
void print(const ordered_json& event) {
    std::puts(event.dump().c_str());
    if (std::fflush(stdout) != 0) {
        throw Error("cannot write to standard output").because(errno);
    }
}

} // namespace

int events_verb(const Globals& globals, const Words& words) {
    bool only_stats = false;
    std::optional<std::string> interval_flag;
    CLI::App app("Prints statistics and out-of-memory events of a container, until it ends.",
                 "sctr-oci events");
    describe(
        app, "[OPTIONS] ID", {"sctr-oci events --stats web", "sctr-oci events --interval 1s web"});
    add_switch(app, "--stats", only_stats, "print the statistics of this moment and end");
    add_text(app, "--interval", interval_flag, "between two statistics (default: 5s)");
    const std::string id = only_id(parse_names(app, words), "events");
    const auto interval = read_interval(interval_flag);
    const container::RecordStore store = store_of(globals);
    const auto print_stats = [&id](const container::CgroupStats& stats) {
        print({{"type", "stats"}, {"id", id}, {"data", stats_json(stats)}});
    };
    if (only_stats) {
        print_stats(container::stats(store, id));
        return 0;
    }
    container::follow_events(store, id, interval, {.stats = print_stats, .oom = [&id] {
                                                       print({{"type", "oom"}, {"id", id}});
                                                   }});
    return 0;
}

} // namespace sctr::cli::engine
