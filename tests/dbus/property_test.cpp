// SPDX-License-Identifier: LGPL-2.1-or-later
// Every type of unit property, as it arrives on the other side of the bus.
#include "fixture.hpp"

#include <netinet/in.h>

namespace sctr::test {
namespace {

struct PropertyCase {
    plan::UnitProperty property;
    const char* signature;
    std::function<bool(const sdbus::Variant&)> arrived;
};

/// Whether the value is what was meant, read as type `Wire`.
template <typename Wire> std::function<bool(const sdbus::Variant&)> is(Wire expected) {
    return [expected](const sdbus::Variant& value) { return value.get<Wire>() == expected; };
}

std::vector<PropertyCase> cases() {
    using Bytes = std::vector<std::uint8_t>;
    using Strings = std::vector<std::string>;
    using Pair = sdbus::Struct<std::string, std::string>;
    using Limit = sdbus::Struct<std::string, std::uint64_t>;
    using Prefix = sdbus::Struct<std::int32_t, Bytes, std::uint32_t>;
    using Rule = sdbus::Struct<std::int32_t, std::int32_t, std::uint16_t, std::uint16_t>;
    using Interfaces = sdbus::Struct<bool, Strings>;
    return {
        {{"Delegate", true}, "b", is(true)},
        {{"Nice", std::int32_t{-5}}, "i", is(std::int32_t{-5})},
        {{"Mask", std::uint32_t{0xffffffff}}, "u", is(std::uint32_t{0xffffffff})},
        {{"MemoryMax", UINT64_MAX}, "t", is(UINT64_MAX)},
        {{"Slice", std::string("sctr.slice")}, "s", is(std::string("sctr.slice"))},
        {{"After", Strings{"a.service", "b.service"}}, "as", is(Strings{"a.service", "b.service"})},
        {{"Wants", Strings{}}, "as", is(Strings{})},
        {{"AllowedCPUs", Bytes{0x0f, 0, 1}}, "ay", is(Bytes{0x0f, 0, 1})},
        {{"AllowedMemoryNodes", Bytes{}}, "ay", is(Bytes{})},
        {{"DeviceAllow", plan::StringPairs{{"/dev/null", "rw"}}},
         "a(ss)",
         is(std::vector{Pair{"/dev/null", "rw"}})},
        {{"DeviceAllowNone", plan::StringPairs{}}, "a(ss)", is(std::vector<Pair>{})},
        {{"IOReadBandwidthMax", plan::DeviceLimits{{"/dev/vda", 7}, {"/dev/vdb", 8}}},
         "a(st)",
         is(std::vector{Limit{"/dev/vda", 7}, Limit{"/dev/vdb", 8}})},
        {{"IPAddressDeny",
          std::vector<plan::AddressPrefix>{
              {.family = AF_INET, .address = {10, 0, 0, 0}, .prefix_length = 8}}},
         "a(iayu)",
         is(std::vector{Prefix{AF_INET, Bytes{10, 0, 0, 0}, 8}})},
        {{"SocketBindAllow",
          std::vector<plan::SocketBindRule>{
              {.family = AF_INET6, .protocol = IPPROTO_TCP, .port_count = 2, .first_port = 8080}}},
         "a(iiqq)",
         is(std::vector{Rule{AF_INET6, IPPROTO_TCP, 2, 8080}})},
        {{"RestrictNetworkInterfaces",
          plan::InterfaceList{.is_allow_list = false, .names = {"lo"}}},
         "(bas)",
         is(Interfaces{false, Strings{"lo"}})},
    };
}

TEST(Property, EveryTypeArrivesAsSystemdReadsIt) {
    const PrivateBus bus;
    FakeSystemd fake(bus.address(), do_job);
    plan::UnitPlan plan{.name = unit};
    for (const PropertyCase& each : cases()) {
        plan.properties.push_back(each.property);
    }
    const UniqueFd pidfd = own_pidfd();
    systemd::Manager manager(systemd::Instance::system, patient);
    manager.start_scope(plan, {.pidfd = pidfd.get(), .pid = ::getpid()});
    ASSERT_TRUE(manager.wait_for_scope());

    const StartCall start = fake.starts().at(0);
    for (const PropertyCase& each : cases()) {
        SCOPED_TRACE(each.property.name);
        const SentProperty* sent = start.find(each.property.name);
        ASSERT_NE(sent, nullptr);
        ASSERT_EQ(sent->signature, each.signature);
        EXPECT_TRUE(each.arrived(sent->value));
    }
    std::vector<std::string> order;
    for (const SentProperty& sent : start.properties) {
        order.push_back(sent.name);
    }
    for (std::size_t i = 0; i < plan.properties.size(); ++i) {
        EXPECT_EQ(order.at(order.size() - plan.properties.size() + i), plan.properties[i].name);
    }
}

} // namespace
} // namespace sctr::test
