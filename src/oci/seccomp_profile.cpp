// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/seccomp_profile.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

#include "oci/json.hpp"
#include "oci/rules.hpp"

namespace sctr::oci {
namespace {

using Strings = std::vector<std::string>;

Strings strings(const JsonNode& object, std::string_view key) {
    Strings values;
    if (const auto list = object.find(key)) {
        for (const auto& element : list->elements()) {
            values.push_back(element.string());
        }
    }
    return values;
}

std::string optional_string(const JsonNode& object, std::string_view key) {
    const auto value = object.find(key);
    return value ? value->string() : std::string();
}

std::string required_string(const JsonNode& object, std::string_view key) {
    const auto value = object.find(key);
    if (!value) {
        object.fail_missing(key);
    }
    return value->string();
}

template <typename T> std::optional<T> number(const JsonNode& object, std::string_view key) {
    const auto value = object.find(key);
    return value ? std::optional(
                       static_cast<T>(value->unsigned_integer(std::numeric_limits<T>::max())))
                 : std::nullopt;
}

std::optional<std::uint32_t> errno_of_name(std::string_view name) {
    // glibc has one name for each number, and these are the others.
    static constexpr std::array<std::pair<std::string_view, std::uint32_t>, 3> aliases = {{
        {"EDEADLOCK", EDEADLOCK},
        {"ENOTSUP", ENOTSUP},
        {"EWOULDBLOCK", EWOULDBLOCK},
    }};
    if (const auto* alias =
            std::ranges::find(aliases, name, [](const auto& one) { return one.first; });
        alias != aliases.end()) {
        return alias->second;
    }
    constexpr int highest = 4095; // MAX_ERRNO of the kernel
    for (int value = 0; value <= highest; ++value) {
        const char* const known = ::strerrorname_np(value);
        if (known != nullptr && name == known) {
            return static_cast<std::uint32_t>(value);
        }
    }
    return std::nullopt;
}

/// An errno by name, which is podman's, or by number. The name wins: it is the same everywhere.
std::optional<std::uint32_t>
read_errno(const JsonNode& object, std::string_view name_key, std::string_view number_key) {
    const auto by_number = number<std::uint32_t>(object, number_key);
    const auto name = object.find(name_key);
    if (!name || name->string().empty()) {
        return by_number;
    }
    const auto value = errno_of_name(name->string());
    if (!value) {
        name->fail("a name of errno(3)");
    }
    return value;
}

/// True if the word is Go's or libseccomp's for the architecture that the spec calls `scmp`.
bool names_architecture(std::string_view word, std::string_view scmp) {
    // The other words are the spec's in small letters, without its prefix.
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> words_of_go = {{
        {"386", "x86"},
        {"amd64", "x86_64"},
        {"arm64", "aarch64"},
        {"loong64", "loongarch64"},
        {"mips64le", "mipsel64"},
        {"mips64p32", "mips64n32"},
        {"mips64p32le", "mipsel64n32"},
        {"mipsle", "mipsel"},
    }};
    constexpr std::string_view prefix = "SCMP_ARCH_";
    if (word == scmp || !scmp.starts_with(prefix)) {
        return word == scmp;
    }
    for (const auto& [of_go, common] : words_of_go) {
        word = word == of_go ? common : word;
    }
    return std::ranges::equal(word, scmp.substr(prefix.size()), [](char small, char capital) {
        return small == (capital >= 'A' && capital <= 'Z' ? capital - 'A' + 'a' : capital);
    });
}

/// The `includes` or `excludes` of a rule.
struct Conditions {
    Strings capabilities;
    Strings architectures;
    std::optional<KernelVersion> kernel;
};

Conditions read_conditions(const JsonNode& rule, std::string_view key) {
    Conditions conditions;
    const auto node = rule.find(key);
    if (!node) {
        return conditions;
    }
    for (const auto& [name, value] : node->members()) {
        if (name == "caps") {
            conditions.capabilities = strings(*node, name);
        } else if (name == "arches") {
            conditions.architectures = strings(*node, name);
        } else if (name == "minKernel") {
            conditions.kernel = parse_kernel_version(value.string());
            if (!conditions.kernel) {
                value.fail("a kernel version such as \"4.8\"");
            }
        } else {
            value.fail("caps, arches or minKernel, the conditions that are known");
        }
    }
    return conditions;
}

bool has(const ProfileTarget& target, const std::string& capability) {
    return std::ranges::contains(target.capabilities, capability);
}

bool is_on(const ProfileTarget& target, const Strings& architectures) {
    return std::ranges::any_of(architectures, [&](const std::string& word) {
        return names_architecture(word, target.architecture);
    });
}

bool applies(const ProfileTarget& target, const Conditions& includes, const Conditions& excludes) {
    const auto is_held = [&](const std::string& capability) { return has(target, capability); };
    return std::ranges::all_of(includes.capabilities, is_held) &&
           std::ranges::none_of(excludes.capabilities, is_held) &&
           (includes.architectures.empty() || is_on(target, includes.architectures)) &&
           !is_on(target, excludes.architectures) &&
           (!includes.kernel || target.kernel >= *includes.kernel) &&
           (!excludes.kernel || target.kernel < *excludes.kernel);
}

SeccompArg read_arg(const JsonNode& node) {
    const auto required = [&node](std::string_view key, auto value) {
        if (!value) {
            node.fail_missing(key);
        }
        return *value;
    };
    return {.index = required("index", number<std::uint32_t>(node, "index")),
            .value = required("value", number<std::uint64_t>(node, "value")),
            .value_two = number<std::uint64_t>(node, "valueTwo").value_or(0),
            .op = required_string(node, "op")};
}

SeccompRule read_rule(const JsonNode& node) {
    SeccompRule rule{.names = strings(node, "names"),
                     .action = required_string(node, "action"),
                     .errno_ret = read_errno(node, "errno", "errnoRet")};
    if (const auto name = node.find("name"); name && !name->string().empty()) {
        if (!rule.names.empty()) {
            name->fail("either name or names");
        }
        rule.names = {name->string()};
    }
    if (const auto args = node.find("args")) {
        for (const auto& arg : args->elements()) {
            rule.args.push_back(read_arg(arg));
        }
    }
    return rule;
}

/// The architectures of the profile; of its map, the native one's entry.
Strings read_architectures(const JsonNode& root, const ProfileTarget& target) {
    Strings names = strings(root, "architectures");
    const auto map = root.find("archMap");
    if (!map) {
        return names;
    }
    const auto entries = map->elements();
    if (!names.empty() && !entries.empty()) {
        map->fail("either archMap or architectures");
    }
    for (const auto& entry : entries) {
        const std::string name = required_string(entry, "architecture");
        const Strings others = strings(entry, "subArchitectures");
        if (name == target.architecture && names.empty()) {
            names.push_back(name);
            std::ranges::copy(others, std::back_inserter(names));
        }
    }
    return names;
}

} // namespace

std::optional<KernelVersion> parse_kernel_version(std::string_view text) {
    KernelVersion version;
    const char* const end = text.data() + text.size();
    const auto major = std::from_chars(text.data(), end, version.major);
    if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') {
        return std::nullopt;
    }
    const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
    return minor.ec == std::errc() ? std::optional(version) : std::nullopt;
}

Seccomp resolve_seccomp_profile(std::string_view json, const ProfileTarget& target) {
    constexpr const char* failure = "invalid config";
    const JsonDocument document(of_bounded_size(json, failure), failure);
    const JsonNode root = document.root();
    Seccomp seccomp{
        .default_action = required_string(root, "defaultAction"),
        .default_errno_ret = read_errno(root, "defaultErrno", "defaultErrnoRet"),
        .architectures = read_architectures(root, target),
        .flags = strings(root, "flags"),
        .listener_path = optional_string(root, "listenerPath"),
        .listener_metadata = optional_string(root, "listenerMetadata"),
    };
    std::vector<SeccompRule> kept;
    if (const auto rules = root.find("syscalls")) {
        for (const auto& node : rules->elements()) {
            const SeccompRule& rule = seccomp.syscalls.emplace_back(read_rule(node));
            if (applies(
                    target, read_conditions(node, "includes"), read_conditions(node, "excludes"))) {
                kept.push_back(rule);
            }
        }
    }
    check_seccomp(Place(), seccomp);
    seccomp.syscalls = std::move(kept);
    return seccomp;
}

} // namespace sctr::oci
