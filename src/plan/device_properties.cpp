// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "plan/property_list.hpp"

namespace sctr::plan {

namespace {

constexpr unsigned access_read = 1;
constexpr unsigned access_write = 2;
constexpr unsigned access_mknod = 4;
constexpr unsigned access_all = access_read | access_write | access_mknod;

/// One OCI rule for one type of device; absent numbers mean any.
struct DeviceRule {
    char type = 'c';
    std::optional<std::int64_t> major;
    std::optional<std::int64_t> minor;
    unsigned access = access_all;

    bool operator==(const DeviceRule&) const = default;
};

bool is_same_set(const DeviceRule& one, const DeviceRule& other) {
    return one.type == other.type && one.major == other.major && one.minor == other.minor;
}

using Number = std::optional<std::int64_t>;

bool covers(Number wide, Number narrow) {
    return !wide || wide == narrow;
}

/// Whether every device of `narrow` is one of `wide`.
bool covers(const DeviceRule& wide, const DeviceRule& narrow) {
    return wide.type == narrow.type && covers(wide.major, narrow.major) &&
           covers(wide.minor, narrow.minor);
}

bool overlaps(const DeviceRule& one, const DeviceRule& other) {
    const auto meet = [](Number left, Number right) { return !left || !right || left == right; };
    return one.type == other.type && meet(one.major, other.major) && meet(one.minor, other.minor);
}

std::optional<unsigned> parse_access(const std::string& text) {
    unsigned access = 0;
    for (const char letter : text) {
        const auto position = std::string_view("rwm").find(letter);
        if (position == std::string_view::npos) {
            return std::nullopt;
        }
        access |= 1U << position;
    }
    return text.empty() ? access_all : access;
}

std::string access_text(unsigned access) {
    std::string text;
    for (const auto& [bit, letter] : {std::pair{access_read, 'r'},
                                      std::pair{access_write, 'w'},
                                      std::pair{access_mknod, 'm'}}) {
        if ((access & bit) != 0) {
            text += letter;
        }
    }
    return text;
}

/// A rule of type "a" is one for each of the two types.
std::vector<DeviceRule>
parse_rule(const PropertyList& list, const std::string& pointer, const oci::DeviceCgroup& rule) {
    const std::optional<unsigned> access = parse_access(rule.access);
    if (!access) {
        throw list.error("bad device access '" + rule.access + "'", pointer + "/access")
            .mend("use the letters r, w and m");
    }
    const auto number = [](Number value) { return value == -1 ? std::nullopt : value; };
    const DeviceRule both{'c', number(rule.major), number(rule.minor), *access};
    if (rule.type.empty() || rule.type == "a") {
        DeviceRule block = both;
        block.type = 'b';
        return {both, block};
    }
    if (rule.type != "c" && rule.type != "b") {
        throw list.error("bad device type '" + rule.type + "'", pointer + "/type")
            .mend("use a, b or c");
    }
    DeviceRule one = both;
    one.type = rule.type.front();
    return {one};
}

/// The devices that an ordered list of rules leaves allowed. systemd can only add to what is
/// allowed, never take a part of it away, so each denial is carried out here.
class AllowList {
  public:
    explicit AllowList(const PropertyList& list) : list_(list) {}

    void apply(const std::string& pointer, const oci::DeviceCgroup& rule) {
        for (const DeviceRule& each : parse_rule(list_, pointer, rule)) {
            if (rule.allow) {
                allow(pointer, each);
            } else {
                deny(pointer, each);
            }
        }
    }

    /// Everything is allowed.
    [[nodiscard]] bool is_everything() const {
        return std::ranges::all_of(std::string_view("cb"), [this](char type) {
            return std::ranges::contains(allowed_, DeviceRule{.type = type});
        });
    }

    [[nodiscard]] StringPairs pairs() const {
        StringPairs pairs;
        for (const DeviceRule& rule : allowed_) {
            pairs.emplace_back(path_of(rule), access_text(rule.access));
        }
        return pairs;
    }

  private:
    void allow(const std::string& pointer, const DeviceRule& rule) {
        if (!rule.major && rule.minor) {
            throw list_.error("cannot apply the device rule", pointer)
                .because("systemd has no word for a minor number of any major number");
        }
        const auto same = std::ranges::find_if(
            allowed_, [&](const DeviceRule& earlier) { return is_same_set(earlier, rule); });
        if (same == allowed_.end()) {
            allowed_.push_back(rule);
        } else {
            same->access |= rule.access;
        }
    }

    void deny(const std::string& pointer, const DeviceRule& rule) {
        for (DeviceRule& earlier : allowed_) {
            if (covers(rule, earlier)) {
                earlier.access &= ~rule.access;
            } else if (overlaps(rule, earlier) && (rule.access & earlier.access) != 0) {
                throw list_.error("cannot apply the device rule", pointer)
                    .because("an earlier rule allows " + path_of(earlier) +
                             ", and systemd cannot deny a part of that")
                    .mend("deny everything first, then allow what is needed");
            }
        }
        std::erase_if(allowed_, [](const DeviceRule& each) { return each.access == 0; });
    }

    /// As DeviceAllow= reads it (systemd.resource-control(5)); majors by number since systemd 240.
    static std::string path_of(const DeviceRule& rule) {
        const std::string type = rule.type == 'c' ? "char" : "block";
        if (!rule.major) {
            return type + "-*";
        }
        if (!rule.minor) {
            return type + "-" + std::to_string(*rule.major);
        }
        return "/dev/" + type + "/" + std::to_string(*rule.major) + ":" +
               std::to_string(*rule.minor);
    }

    const PropertyList& list_;
    std::vector<DeviceRule> allowed_;
};

oci::DeviceCgroup allow_rule(const char* type, Number major, Number minor, const char* access) {
    return {.allow = true, .type = type, .major = major, .minor = minor, .access = access};
}

} // namespace

const std::vector<oci::DeviceCgroup>& default_device_rules() {
    static const std::vector<oci::DeviceCgroup> rules{
        allow_rule("c", std::nullopt, std::nullopt, "m"),
        allow_rule("b", std::nullopt, std::nullopt, "m"),
        allow_rule("c", 1, 3, "rwm"),              // null
        allow_rule("c", 1, 5, "rwm"),              // zero
        allow_rule("c", 1, 7, "rwm"),              // full
        allow_rule("c", 1, 8, "rwm"),              // random
        allow_rule("c", 1, 9, "rwm"),              // urandom
        allow_rule("c", 5, 0, "rwm"),              // tty
        allow_rule("c", 5, 1, "rwm"),              // console
        allow_rule("c", 5, 2, "rwm"),              // ptmx
        allow_rule("c", 136, std::nullopt, "rwm"), // pts
    };
    return rules;
}

void add_device_properties(PropertyList& list, const std::vector<oci::DeviceCgroup>& rules) {
    constexpr std::string_view base = "/linux/resources/devices";
    if (rules.empty()) {
        return;
    }
    AllowList allow_list(list);
    for (std::size_t index = 0; index < rules.size(); ++index) {
        allow_list.apply(std::string(base) + "/" + std::to_string(index), rules[index]);
    }
    const bool is_everything = allow_list.is_everything();
    if (!is_everything) {
        for (const oci::DeviceCgroup& rule : default_device_rules()) {
            allow_list.apply(std::string(base), rule);
        }
    }
    // Entries add to those that a running unit has; an empty list takes them away.
    if (!list.is_new_unit()) {
        list.append({"DeviceAllow", StringPairs{}});
    }
    list.append({"DevicePolicy", std::string(is_everything ? "auto" : "strict")});
    if (!is_everything) {
        list.append({"DeviceAllow", allow_list.pairs()});
    }
}

} // namespace sctr::plan
