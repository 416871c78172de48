// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/capabilities.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/error.hpp"

namespace sctr::plan {

namespace {

/// Without their prefix; the index is the number in linux/capability.h.
constexpr std::array<std::string_view, 41> names_by_number{
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};

constexpr std::string_view prefix = "CAP_";

std::optional<int> exact_number(std::string_view name) {
    if (!name.starts_with(prefix)) {
        return std::nullopt;
    }
    const auto* found = std::ranges::find(names_by_number, name.substr(prefix.size()));
    if (found == names_by_number.end()) {
        return std::nullopt;
    }
    return static_cast<int>(found - names_by_number.begin());
}

bool is_known_to_kernel(int number, std::uint64_t last_capability) {
    return static_cast<std::uint64_t>(number) <= last_capability;
}

} // namespace

std::optional<int> capability_number(std::string_view name) {
    std::string upper(name);
    std::ranges::transform(upper, upper.begin(), [](unsigned char character) {
        return static_cast<char>(std::toupper(character));
    });
    return exact_number(upper.starts_with(prefix) ? upper : std::string(prefix) + upper);
}

std::string capability_name(int number) {
    if (number < 0 || static_cast<std::size_t>(number) >= names_by_number.size()) {
        return {};
    }
    return std::string(prefix).append(names_by_number.at(static_cast<std::size_t>(number)));
}

std::vector<std::string> all_capabilities(std::uint64_t last_capability) {
    std::vector<std::string> names;
    for (int number = 0; number < static_cast<int>(names_by_number.size()); ++number) {
        if (is_known_to_kernel(number, last_capability)) {
            names.push_back(capability_name(number));
        }
    }
    return names;
}

const std::vector<std::string>& default_capabilities() {
    static const std::vector<std::string> names{
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_NET_BIND_SERVICE",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_CHROOT",
    };
    return names;
}

std::uint64_t capability_mask(const std::vector<std::string>& names,
                              std::uint64_t last_capability,
                              std::string_view pointer) {
    std::uint64_t mask = 0;
    for (std::size_t index = 0; index < names.size(); ++index) {
        const std::optional<int> number = exact_number(names[index]);
        if (!number) {
            Error error("unknown capability '" + names[index] + "'");
            error.at(std::string(pointer) + "/" + std::to_string(index));
            if (const std::optional<int> meant = capability_number(names[index])) {
                error.mend("write " + capability_name(*meant));
            } else {
                error.mend("see capabilities(7) for the names");
            }
            throw error;
        }
        if (is_known_to_kernel(*number, last_capability)) {
            mask |= std::uint64_t{1} << *number;
        }
    }
    return mask;
}

std::vector<std::string> unsupported_capabilities(const std::vector<std::string>& names,
                                                  std::uint64_t last_capability) {
    std::vector<std::string> unsupported;
    std::ranges::copy_if(names, std::back_inserter(unsupported), [&](const std::string& name) {
        const std::optional<int> number = exact_number(name);
        return number && !is_known_to_kernel(*number, last_capability);
    });
    return unsupported;
}

} // namespace sctr::plan
