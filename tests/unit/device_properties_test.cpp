// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "plan/unit_properties.hpp"

namespace sctr::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Rules = std::vector<oci::DeviceCgroup>;
using Number = std::optional<std::int64_t>;

constexpr Number any;

oci::DeviceCgroup allow(const char* type, Number major, Number minor, const char* access) {
    return {.allow = true, .type = type, .major = major, .minor = minor, .access = access};
}

oci::DeviceCgroup deny(const char* type, Number major, Number minor, const char* access) {
    return {.allow = false, .type = type, .major = major, .minor = minor, .access = access};
}

const oci::DeviceCgroup deny_all = deny("a", any, any, "rwm");
const oci::DeviceCgroup allow_all = allow("a", any, any, "rwm");

/// What `rules` allow beyond the default devices.
StringPairs allowed(const Rules& rules) {
    StringPairs pairs;
    for (const UnitProperty& property :
         resource_properties(oci::Resources{.devices = rules}, host::Facts{})) {
        if (property.name == "DeviceAllow") {
            pairs = std::get<StringPairs>(property.value);
        } else {
            EXPECT_EQ(property, (UnitProperty{"DevicePolicy", std::string("strict")}));
        }
    }
    const auto defaults = resource_properties(oci::Resources{.devices = {deny_all}}, host::Facts{});
    for (const auto& pair : std::get<StringPairs>(defaults.at(1).value)) {
        std::erase(pairs, pair);
    }
    return pairs;
}

TEST(DeviceProperties, AllowTheDefaultDevices) {
    const auto properties =
        resource_properties(oci::Resources{.devices = {deny_all}}, host::Facts{});
    EXPECT_THAT(properties,
                ElementsAre(UnitProperty{"DevicePolicy", std::string("strict")},
                            UnitProperty{"DeviceAllow",
                                         StringPairs{{"char-*", "m"},
                                                     {"block-*", "m"},
                                                     {"/dev/char/1:3", "rwm"},
                                                     {"/dev/char/1:5", "rwm"},
                                                     {"/dev/char/1:7", "rwm"},
                                                     {"/dev/char/1:8", "rwm"},
                                                     {"/dev/char/1:9", "rwm"},
                                                     {"/dev/char/5:0", "rwm"},
                                                     {"/dev/char/5:1", "rwm"},
                                                     {"/dev/char/5:2", "rwm"},
                                                     {"char-136", "rwm"}}}));
}

TEST(DeviceProperties, FollowTheOrderOfTheRules) {
    const struct {
        Rules rules;
        StringPairs allowed;
    } cases[] = {
        {{deny_all, allow("c", 10, 229, "rwm")}, {{"/dev/char/10:229", "rwm"}}},
        {{deny_all, allow("c", 10, 229, "")}, {{"/dev/char/10:229", "rwm"}}},
        {{allow("b", 8, 0, "r")}, {{"/dev/block/8:0", "r"}}},
        {{allow("b", 8, any, "rw")}, {{"block-8", "rw"}}},
        {{allow("b", 8, -1, "wr")}, {{"block-8", "rw"}}},
        {{allow("", 8, 1, "r")}, {{"/dev/char/8:1", "r"}, {"/dev/block/8:1", "r"}}},
        {{allow("c", any, any, "rw")}, {{"char-*", "rwm"}}},
        {{allow("c", 1, 11, "r"), deny_all}, {}},
        {{allow_all, deny_all, allow("c", 1, 11, "r")}, {{"/dev/char/1:11", "r"}}},
        {{allow("c", 1, 11, "r"), allow("c", 1, 11, "w")}, {{"/dev/char/1:11", "rw"}}},
        {{allow("c", 1, 11, "rwm"), deny("c", 1, 11, "w")}, {{"/dev/char/1:11", "rm"}}},
        {{allow("c", 1, 11, "rwm"), deny("c", 1, 11, "")}, {}},
        {{allow("c", 4, 1, "rw"), allow("c", 4, 2, "rw"), deny("c", 4, any, "rwm")}, {}},
        {{allow("c", 4, any, "r"), deny("c", 4, 1, "w")}, {{"char-4", "r"}}},
        {{allow("c", 4, any, "r"), deny("b", 4, 1, "r")}, {{"char-4", "r"}}},
        {{deny("c", 4, 1, "r"), allow("c", 4, any, "r")}, {{"char-4", "r"}}},
    };

    for (std::size_t index = 0; index < std::size(cases); ++index) {
        EXPECT_EQ(allowed(cases[index].rules), cases[index].allowed) << "case " << index;
    }
}

TEST(DeviceProperties, OfEverythingAreNoFilter) {
    const UnitProperty automatic{"DevicePolicy", std::string("auto")};
    for (const Rules& rules : {Rules{allow_all},
                               Rules{deny_all, allow_all},
                               Rules{allow("c", any, any, ""), allow("b", any, any, "")},
                               Rules{allow_all, allow("c", 1, 3, "r")}}) {
        EXPECT_THAT(resource_properties(oci::Resources{.devices = rules}, host::Facts{}),
                    ElementsAre(automatic));
    }
}

TEST(DeviceProperties, OfARunningUnitStartFromAnEmptyList) {
    const ResourceOptions update{.target = PropertyTarget::running_unit};
    const UnitProperty reset{"DeviceAllow", StringPairs{}};
    const auto everything =
        resource_properties(oci::Resources{.devices = {allow_all}}, host::Facts{}, update);
    EXPECT_THAT(everything, ElementsAre(reset, UnitProperty{"DevicePolicy", std::string("auto")}));
    const auto nothing =
        resource_properties(oci::Resources{.devices = {deny_all}}, host::Facts{}, update);
    ASSERT_EQ(nothing.size(), 3U);
    EXPECT_EQ(nothing[0], reset);
    EXPECT_EQ(nothing[1], (UnitProperty{"DevicePolicy", std::string("strict")}));
    EXPECT_EQ(nothing[2].name, "DeviceAllow");
}

TEST(DeviceProperties, RefuseWhatSystemdCannotSay) {
    const struct {
        Rules rules;
        const char* where;
        const char* why;
    } cases[] = {
        {{allow_all, deny("c", 1, 3, "r")}, "/linux/resources/devices/1", "allows char-*"},
        {{allow("c", 4, any, "rw"), deny("c", 4, 1, "w")}, "devices/1", "allows char-4"},
        {{allow("c", 4, 1, "rw"), deny_all, allow("c", any, 3, "r")}, "devices/2", "minor number"},
        {{allow("u", 1, 1, "r")}, "/linux/resources/devices/0/type", "a, b or c"},
        {{allow("c", 1, 1, "rx")}, "/linux/resources/devices/0/access", "r, w and m"},
    };

    for (const auto& each : cases) {
        try {
            resource_properties(oci::Resources{.devices = each.rules}, host::Facts{});
            ADD_FAILURE() << each.where << " was taken";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(each.where));
            EXPECT_THAT(error.what(), HasSubstr(each.why));
        }
    }
}

} // namespace
} // namespace sctr::plan
