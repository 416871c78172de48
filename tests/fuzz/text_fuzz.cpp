// SPDX-License-Identifier: LGPL-2.1-or-later
// The small texts that people, files and images give. The first byte chooses who reads the rest.
#include <algorithm>
#include <array>
#include <csignal>
#include <string>

#include "base/strings.hpp"
#include "cli/mount_flags.hpp"
#include "cli/request_builder.hpp"
#include "fuzz.hpp"
#include "oci/serialize.hpp"
#include "plan/cgroups_path.hpp"
#include "plan/gvariant.hpp"
#include "plan/property_text.hpp"

namespace sctr::fuzz {
namespace {

void read_property(const std::string& text) {
    accepts([&] { (void)plan::parse_property(text); });
}

void check_mount(const oci::Mount& mount) {
    check(mount.destination.starts_with('/'), "a place in the container is absolute");
    check(mount.destination.size() > 1, "nothing is mounted over the root");
    check(!(mount.destination + "/").contains("/../"), "a place in the container is normalised");
    check(mount.type != "bind" || mount.source.starts_with('/'), "a source is absolute");
}

void check_callers_mount(cli::CallersMount callers) {
    if (callers.volume) {
        check(callers.mount.source.empty(), "a volume has no source of its own");
        check(!callers.volume->name.contains('/'), "a volume's name is that of a file");
        callers.mount.source = "/volumes/" + callers.volume->name;
    }
    check_mount(callers.mount);
}

void read_mounts(const std::string& text) {
    accepts([&] { check_callers_mount(cli::parse_volume(text, "/here")); });
    accepts([&] { check_callers_mount(cli::parse_mount(text, "/here")); });
    accepts([&] { check_mount(cli::parse_tmpfs(text)); });
    (void)cli::volume_sharing(text);
    (void)cli::mount_sharing(text);
}

void read_environment(const std::string& text) {
    cli::RootfsFacts facts;
    facts.env_files = {text};
    facts.environment = {{"HOME", "/root"}};
    cli::Environment environment;
    accepts([&] { cli::apply_environment(environment, {.env = {text}}, facts); });
    for (const std::string& line : environment.lines()) {
        check(line.find('=') != std::string::npos && line.find('=') > 0, "a variable has a name");
    }
}

/// The first line is --user; the rest stands for both files of a hostile image.
void read_account(const std::string& text) {
    const auto [user, files] = split_once(text, '\n');
    accepts([&, user = user, files = files] {
        (void)cli::find_account(user, files.value_or(""), files.value_or(""));
    });
}

void read_numbers(const std::string& text) {
    (void)parse_int(text);
    (void)parse_uint(text);
    (void)parse_duration_usec(text);
    if (const auto size = parse_size(text)) {
        check(*size >= -1, "a size is not negative");
    }
    if (const auto signal = parse_signal(text)) {
        check(*signal >= 1 && *signal <= 64, "a signal has a number");
        check(parse_signal(signal_name(*signal)) == signal, "a signal's name is its own");
    }
    if (const auto list = parse_cpu_list(text)) {
        check(!list->empty() && list->back() <= 8191, "a CPU list has CPUs");
        check(std::ranges::adjacent_find(*list, std::greater_equal<>()) == list->end(),
              "a CPU list ascends");
    }
}

void change_text(const std::string& text) {
    const std::string valid = valid_utf8(text);
    check(valid_utf8(valid) == valid, "valid UTF-8 stays");
    check(std::ranges::none_of(escape_controls(text),
                               [](unsigned char letter) { return letter < 32 || letter == 127; }),
          "no control character is left");
    check(join(split(text, ','), ",") == text, "join is the inverse of split");
}

/// What engines write: the first line is a property's name or a default slice.
void read_engine_text(const std::string& text) {
    const auto [name, value] = split_once(text, '\n');
    accepts([&, name = name, value = value] {
        (void)plan::read_gvariant_property(name, value.value_or(""), "annotation");
    });
    accepts([&, value = value] {
        const auto place = plan::read_cgroups_path(value.value_or(""), "id", "sctr.slice");
        check(place.slice.ends_with(".slice"), "a slice is one");
        check(place.unit.ends_with(".scope"), "a scope is one");
        check(!place.unit.contains('/') && !place.slice.contains('/'), "a unit's name is no path");
    });
}

constexpr std::array readers = {read_property,
                                read_mounts,
                                read_environment,
                                read_account,
                                read_numbers,
                                change_text,
                                read_engine_text};

} // namespace
} // namespace sctr::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sctr::fuzz;
    if (size > 0) {
        readers[data[0] % readers.size()](std::string(text_of(data + 1, size - 1)));
    }
    return 0;
}
