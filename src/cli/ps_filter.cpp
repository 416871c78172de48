// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/ps_filter.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "container/id.hpp"
#include "oci/reference.hpp"

namespace sctr::cli {
namespace {

/// "exited" is what docker and podman call it.
std::string status_word(const std::string& word) {
    return word == "exited" ? "stopped" : word;
}

bool has_status(const PsRow& row, const std::string& value) {
    return status_word(value) == container::to_string(row.status);
}

/// A part of a name, of which '^' and '$' say that it is the begin and the end, as in the regular
/// expressions of docker and podman; docker's names begin with a slash.
struct NamePart {
    std::string_view text;
    bool begins = false;
    bool ends = false;
};

NamePart name_part(std::string_view text) {
    NamePart part{.text = text, .begins = text.starts_with('^'), .ends = text.ends_with('$')};
    part.text.remove_prefix(part.begins ? 1 : 0);
    part.text.remove_suffix(part.ends && !part.text.empty() ? 1 : 0);
    part.text.remove_prefix(part.begins && part.text.starts_with('/') ? 1 : 0);
    return part;
}

bool has_name(const PsRow& row, const std::string& value) {
    const auto [text, begins, ends] = name_part(value);
    const std::string_view name = row.record.id;
    if (begins && ends) {
        return name == text;
    }
    return begins ? name.starts_with(text) : ends ? name.ends_with(text) : name.contains(text);
}

/// What could be in no name would take no container, which is no answer.
void check_name(const std::string& filter, std::string_view value) {
    const std::string_view text = name_part(value).text;
    if (text.empty() || !container::is_id("a" + std::string(text))) {
        throw bad_value("--filter",
                        filter,
                        "",
                        "a part of a name, or ^NAME$ for all of it; more of a regular expression "
                        "is not known");
    }
}

bool has_label(const PsRow& row, const std::string& value) {
    return has_such_label(row.labels, value);
}

bool has_health(const PsRow& row, const std::string& value) {
    return row.health ? value == container::to_string(*row.health) : value == "none";
}

bool has_exit_status(const PsRow& row, const std::string& value) {
    return row.status == container::Status::stopped && row.record.exit_status &&
           std::to_string(*row.record.exit_status) == value;
}

void check_exit_status(const std::string& /*filter*/, std::string_view value) {
    constexpr std::int64_t most = 255;
    static_cast<void>(parse_in_range("--filter exited", std::string(value), 0, most));
}

bool is_of_image(const PsRow& row, const std::string& value) {
    return oci::is_called(row.record.image, value);
}

constexpr std::array ps_keys = {
    FilterKey<PsRow>{"name", has_name, "", check_name},
    FilterKey<PsRow>{"id", has_name, "", check_name},
    FilterKey<PsRow>{"status", has_status, " creating created running paused stopped exited "},
    FilterKey<PsRow>{"label", has_label, ""},
    FilterKey<PsRow>{"health", has_health, " starting healthy unhealthy none "},
    FilterKey<PsRow>{"exited", has_exit_status, "", check_exit_status},
    FilterKey<PsRow>{"ancestor", is_of_image, ""},
};

} // namespace

PsFilter::PsFilter(const std::vector<std::string>& texts) : filter_(texts, ps_keys) {}

bool PsFilter::wants_ended() const {
    return !filter_.values("exited").empty() ||
           std::ranges::any_of(filter_.values("status"), [](const std::string& word) {
               return status_word(word) == "stopped" || word == "created";
           });
}

} // namespace sctr::cli
