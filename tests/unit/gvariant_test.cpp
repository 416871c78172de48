// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/gvariant.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sctr::plan {
namespace {

using Names = std::vector<std::string>;
using Bytes = std::vector<std::uint8_t>;

struct Good {
    const char* name;
    const char* text;
    UnitProperty property;
};

std::uint64_t t(std::uint64_t value) {
    return value;
}

std::int32_t i(std::int32_t value) {
    return value;
}

UnitProperty property(const char* name, PropertyValue value) {
    return {name, std::move(value)};
}

TEST(GvariantProperty, IsReadWithItsType) {
    for (const Good& each : {
             // What podman and CRI-O send.
             Good{"KillSignal", "15", property("KillSignal", i(15))},
             Good{"TimeoutStopUSec", "uint64 90000000", property("TimeoutStopUSec", t(90000000))},
             Good{"DefaultDependencies", "true", property("DefaultDependencies", true)},
             Good{"After", "['crio.service']", property("After", Names{"crio.service"})},
             Good{"CollectMode",
                  "'inactive-or-failed'",
                  property("CollectMode", std::string("inactive-or-failed"))},
             // The other types of properties.
             Good{"SendSIGHUP", " false ", property("SendSIGHUP", false)},
             Good{"Abc", "uint32 7", property("Abc", std::uint32_t{7})},
             Good{"Abc", "int32 -7", property("Abc", i(-7))},
             Good{"Abc", "@t 7", property("Abc", t(7))},
             Good{"Abc", "\"a 'b' \\\"c\"", property("Abc", std::string("a 'b' \"c"))},
             Good{"Abc", "['a', \"b\",]", property("Abc", Names{"a", "b"})},
             Good{"Abc", "[]", property("Abc", Names{})},
             Good{"Abc", "@as []", property("Abc", Names{})},
             Good{"Abc", "@ay []", property("Abc", Bytes{})},
             Good{"AllowedCPUs", "[byte 3, 255]", property("AllowedCPUs", Bytes{3, 255})},
             Good{"DeviceAllow",
                  "[('/dev/null', 'rw')]",
                  property("DeviceAllow", StringPairs{{"/dev/null", "rw"}})},
             Good{"IODeviceWeight",
                  "[('/dev/sda', uint64 50)]",
                  property("IODeviceWeight", DeviceLimits{{"/dev/sda", 50}})},
             // A number as systemd wants it, and seconds as runc takes them.
             Good{"MemoryMax", "5000000", property("MemoryMax", t(5000000))},
             Good{"TasksMax", "7", property("TasksMax", t(7))},
             Good{"TimeoutStopSec", "1.5", property("TimeoutStopUSec", t(1500000))},
             Good{"TimeoutStopSec", "uint64 90", property("TimeoutStopUSec", t(90000000))},
         }) {
        EXPECT_EQ(read_gvariant_property(each.name, each.text, "w"), each.property)
            << each.name << " " << each.text;
    }
}

struct Bad {
    const char* name;
    const char* text;
    const char* why;
};

TEST(GvariantProperty, IsRefusedWithTheReason) {
    for (const Bad& each : {
             Bad{"Abc", "", "a value is missing"},
             Bad{"Abc", "word", "'word' is no value"},
             Bad{"Abc", "'open", "has no end"},
             Bad{"Abc", "['a' 'b']", "']' is missing"},
             Bad{"Abc", "['a'", "']' is missing"},
             Bad{"Abc", "'a' 'b'", "something follows"},
             Bad{"Abc", "9999999999", "write its type"},
             Bad{"Abc", "uint32 9999999999", "too large"},
             Bad{"Abc", "uint64 -1", "not a number"},
             Bad{"Abc", "uint64 99999999999999999999", "not a number"},
             Bad{"Abc", "double 1.5", "the type double"},
             Bad{"Abc", "[300]", "not a byte"},
             Bad{"Abc", "['a', 1]", "an array is of"},
             Bad{"Abc", "[('a', 'b'), ('c', 1)]", "of one type"},
             Bad{"Abc", "('a', 'b')", "tuple"},
             Bad{"Abc", "[[[[[[[[[[1]]]]]]]]]]", "nested"},
             Bad{"Ab", "1", "three letters"},
             Bad{"A=b", "1", "three letters"},
             Bad{"Abc1", "1", "three letters"},
             Bad{"WatchSec", "'x'", "in seconds"},
             Bad{"WatchSec", "-1", "in seconds"},
             Bad{"WatchSec", "1e300", "in seconds"},
         }) {
        try {
            read_gvariant_property(each.name, each.text, "annotation x");
            ADD_FAILURE() << each.text;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), testing::HasSubstr(each.why)) << each.text;
            EXPECT_THAT(error.what(), testing::HasSubstr("annotation x")) << each.text;
        }
    }
}

} // namespace
} // namespace sctr::plan
