// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "network/address.hpp"
#include "network/attaching.hpp"
#include "network/definition.hpp"
#include "network/host_routes.hpp"
#include "network/kept.hpp"
#include "network/name_files.hpp"
#include "network/naming.hpp"
#include "network/netavark.hpp"
#include "network/network_store.hpp"
#include "network/pasta.hpp"
#include "network/ports.hpp"
#include "network/revival.hpp"
#include "network/state.hpp"
#include "network/traffic.hpp"
#include "network/zone.hpp"

/// What of networks depends on nothing but its arguments.
namespace sctr::network {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

Subnet subnet(const char* text) {
    return Subnet::parse(text).value();
}

Address address(const char* text) {
    return Address::parse(text).value();
}

template <typename Act> std::string error_of(Act act) {
    try {
        act();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(Network, Subnets) {
    struct Case {
        const char* text;
        const char* expected; ///< empty: none
        std::uint64_t last = 0;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"10.1.2.0/24", "10.1.2.0/24", 254},
             {"10.1.2.3/24", "10.1.2.0/24", 254},
             {"10.1.2.3/32", "10.1.2.3/32", 0},
             {"10.1.2.2/31", "10.1.2.2/31", 0},
             {"10.1.2.4/30", "10.1.2.4/30", 2},
             {"10.255.0.0/9", "10.128.0.0/9", 0x7ffffe},
             {"0.0.0.0/0", "0.0.0.0/0", 0xfffffffe},
             {"fd00:1::5/64", "fd00:1::/64", 0x7fffffffffffffff},
             {"fd00::/120", "fd00::/120", 255},
             {"10.1.2.0", ""},
             {"10.1.2.0/33", ""},
             {"10.1.2.0/-1", ""},
             {"10.1.2/24", ""},
             {"fd00::/129", ""},
             {"/24", ""},
             {"", ""},
         }) {
        const auto found = Subnet::parse(each.text);
        EXPECT_EQ(found ? found->text() : "", each.expected) << each.text;
        if (found) {
            EXPECT_EQ(found->last_offset(), each.last) << each.text;
        }
    }
}

TEST(Network, OverlapsAndContains) {
    struct Case {
        const char* one;
        const char* other;
        bool overlaps;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"10.1.0.0/16", "10.1.2.0/24", true},
             {"10.1.2.0/24", "10.1.3.0/24", false},
             {"10.1.2.0/24", "10.1.2.0/24", true},
             {"0.0.0.0/0", "fd00::/8", false},
             {"fd00::/8", "fd12::/64", true},
         }) {
        EXPECT_EQ(subnet(each.one).overlaps(subnet(each.other)), each.overlaps) << each.one;
        EXPECT_EQ(subnet(each.other).overlaps(subnet(each.one)), each.overlaps) << each.other;
    }
    EXPECT_TRUE(subnet("10.1.2.0/23").contains(address("10.1.3.255")));
    EXPECT_FALSE(subnet("10.1.2.0/23").contains(address("10.1.4.0")));
    EXPECT_FALSE(subnet("0.0.0.0/0").contains(address("::1")));
}

TEST(Network, AddressesAreCounted) {
    EXPECT_EQ(address("10.0.0.255").plus(1).text(), "10.0.1.0");
    EXPECT_EQ(address("10.0.0.0").plus(65537).text(), "10.1.0.1");
    EXPECT_EQ(address("fd00::ffff").plus(2).text(), "fd00::1:1");
}

TEST(Network, HardwareAddresses) {
    EXPECT_EQ(parse_mac("02:00:00:00:00:AF"), "02:00:00:00:00:af");
    for (const char* bad : {"",
                            "02:00:00:00:00",
                            "03:00:00:00:00:01", // a group
                            "00:00:00:00:00:00",
                            "2:0:0:0:0:1",
                            "02-00-00-00-00-01",
                            "02:00:00:00:00:0g"}) {
        EXPECT_EQ(parse_mac(bad), std::nullopt) << bad;
    }
    EXPECT_NE(parse_mac(made_up_mac("c", "n")), std::nullopt);
    EXPECT_NE(made_up_mac("c", "n"), made_up_mac("c", "m"));
}

TEST(Network, Names) {
    for (const char* good : {"a", "web-1", "Web.x_y", "0"}) {
        EXPECT_EQ(error_of([&] { check_network_name(good); }), "no error");
    }
    for (const char* bad : {"", ".", "..", "-a", "a/b", "a b", "a:b", "none", "host", "bridge"}) {
        EXPECT_NE(error_of([&] { check_network_name(bad); }), "no error") << bad;
    }
    for (const char* good : {"db", "db.example.org", "a_b", "1"}) {
        EXPECT_TRUE(is_host_name(good)) << good;
    }
    for (const char* bad : {"", ".", "a..b", "-a", "a-", "a b", "a,b", "a\n", "db."}) {
        EXPECT_FALSE(is_host_name(bad)) << bad;
    }
    EXPECT_FALSE(is_host_name(std::string(64, 'a')));
}

TEST(Network, RoutesOfTheHost) {
    const auto routes = parse_routes(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "half a line\t\n");
    EXPECT_THAT(routes, ElementsAre(subnet("192.168.2.0/24")));
    const auto routes6 = parse_routes6(
        "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 "
        "00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n"
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 x\n");
    EXPECT_THAT(routes6, ElementsAre(subnet("fe80::/64")));
}

TEST(Network, FreeSubnets) {
    EXPECT_EQ(free_subnet({}, false), subnet("10.210.0.0/24"));
    EXPECT_EQ(free_subnet({subnet("10.210.0.0/23"), subnet("10.210.2.7/32")}, false),
              subnet("10.210.3.0/24"));
    EXPECT_EQ(free_subnet({subnet("fd53:6374:7200::/64")}, true), subnet("fd53:6374:7200:1::/64"));
    EXPECT_THAT(error_of([] { free_subnet({subnet("10.0.0.0/8")}, false); }),
                HasSubstr("no free subnet"));
}

Definition definition() {
    Definition network{
        .name = "front",
        .id = std::string(64, 'a'),
        .interface = "sctr1",
        .subnets = {{.subnet = subnet("10.5.0.0/24"), .gateway = address("10.5.0.1")},
                    {.subnet = subnet("fd00:5::/64"), .gateway = address("fd00:5::1")}}};
    network.mtu = 1400;
    network.isolation = Isolation::strict;
    network.labels = {{"team", "web"}};
    return network;
}

TEST(Network, DefinitionsAreReadAsTheyWereWritten) {
    EXPECT_EQ(definition_from_json(to_json(definition())), definition());
    const std::string text = to_json(definition());

    struct Case {
        const char* pointer;
        json value;
        const char* expected;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"/version", 2, "newer sctr"},
             {"/name", "a/b", "invalid network name"},
             {"/id", "x", "64 hex digits"},
             {"/subnets/0/subnet", "10.5.0.0", "no subnet"},
             {"/subnets/0/gateway", "10.6.0.1", "not in 10.5.0.0/24"},
             {"/isolation", "half", "means nothing"},
             {"/mtu", "big", "cannot read the network"},
         }) {
        json value = json::parse(text);
        value[json::json_pointer(each.pointer)] = each.value;
        EXPECT_THAT(error_of([&] { definition_from_json(value.dump()); }), HasSubstr(each.expected))
            << each.pointer;
    }
}

TEST(Network, WhatIsOpenIsChosen) {
    const auto no_device = [](const std::string& name) { return name == "sctr0"; };
    Definition made{.name = "new", .subnets = {SubnetPlan{}}};
    complete(made, {definition()}, {subnet("10.210.0.0/24")}, no_device);
    EXPECT_EQ(made.interface, "sctr2");
    EXPECT_EQ(made.subnets.front().subnet, subnet("10.210.1.0/24"));
    EXPECT_EQ(made.subnets.front().gateway, address("10.210.1.1"));
}

TEST(Network, SubnetsInUse) {
    struct Case {
        const char* subnet;
        const char* expected;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"10.5.0.0/16", "network 'front' has 10.5.0.0/24"},
             {"10.9.0.0/25", "route to 10.9.0.0/24"},
             {"10.8.0.0/31", "too small"},
             {"10.8.0.0/24", "no error"},
         }) {
        Definition made{.name = "new", .subnets = {{.subnet = subnet(each.subnet)}}};
        EXPECT_THAT(error_of([&] {
                        complete(made,
                                 {definition()},
                                 {subnet("10.9.0.0/24")},
                                 [](const std::string&) { return false; });
                    }),
                    HasSubstr(each.expected))
            << each.subnet;
    }
}

Attachment attachment() {
    Attachment web{.container = "web", .id = std::string(64, 'b'), .supervisor = {7, 8}};
    web.init = {9, 10};
    web.networks = {{.network = definition(),
                     .use = {.name = "front", .aliases = {"www"}},
                     .interface = "eth0",
                     .addresses = {address("10.5.0.2"), address("fd00:5::2")},
                     .mac = "02:00:00:00:00:01"}};
    web.ports = {{.host_ip = "127.0.0.1",
                  .host_port = 8080,
                  .container_port = 80,
                  .range = 2,
                  .protocol = "udp"}};
    web.servers = {"9.9.9.9"};
    web.failed_undos = 2;
    web.naming = {.files = {.hosts = true,
                            .resolv_conf = true,
                            .hostname = true,
                            .entries = {{.address = "10.0.0.1", .name = "db"}},
                            .servers = {"9.9.9.9"},
                            .search = {"a.example"},
                            .options = {"rotate"}},
                  .hostname = "h",
                  .directory = "/run/sctr/web",
                  .is_hosts = true,
                  .is_pasta = true,
                  .pasta_servers = {"10.0.0.53"}};
    return web;
}

TEST(Network, AttachmentsAreReadAsTheyWereWritten) {
    EXPECT_EQ(attachment_from_json(to_json(attachment())), attachment());
    for (const char* damaged : {"", "{", "[]", R"({"container":1})"}) {
        EXPECT_EQ(attachment_from_json(damaged), std::nullopt) << damaged;
    }
}

TEST(Network, WhatNetavarkIsTold) {
    const json options = json::parse(netavark_options(attachment()));

    struct Case {
        const char* pointer;
        json expected;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"/container_id", std::string(64, 'b')},
             {"/container_name", "web"},
             {"/networks/front/interface_name", "eth0"},
             {"/networks/front/static_ips", {"10.5.0.2", "fd00:5::2"}},
             {"/networks/front/static_mac", "02:00:00:00:00:01"},
             {"/networks/front/aliases", json::array({"www"})},
             {"/network_info/front/network_interface", "sctr1"},
             {"/network_info/front/ipv6_enabled", true},
             {"/network_info/front/internal", false},
             {"/network_info/front/options/mtu", "1400"},
             {"/network_info/front/options/isolate", "strict"},
             {"/network_info/front/subnets/1/gateway", "fd00:5::1"},
             {"/port_mappings/0/host_port", 8080},
             {"/port_mappings/0/range", 2},
             {"/dns_servers", json::array({"9.9.9.9"})},
         }) {
        EXPECT_EQ(options.value(json::json_pointer(each.pointer), json()), each.expected)
            << each.pointer;
    }
}

TEST(Network, ResolversFollowNetworksAndTheHost) {
    const Resolver stub{.servers = {"127.0.0.53"}, .search = {"lan"}, .options = {"edns0"}};
    const Resolver behind{.servers = {"192.0.2.1"}, .search = {"lan"}, .options = {"edns0"}};

    struct Case {
        const char* what;
        bool on_bridge;
        bool is_hosts;
        bool is_pasta;
        std::vector<std::string> pasta_servers;
        std::vector<std::string> own;
        std::vector<std::string> expected;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"bridge", true, false, false, {}, {}, {"10.5.0.1", "fd00:5::1"}},
             {"bridge, --dns", true, false, false, {}, {"9.9.9.9"}, {"10.5.0.1", "fd00:5::1"}},
             {"host", false, true, false, {}, {}, {"127.0.0.53"}},
             {"host, --dns", false, true, false, {}, {"9.9.9.9"}, {"9.9.9.9"}},
             {"pasta", false, false, true, {"127.0.0.53"}, {}, {"169.254.1.1"}},
             {"pasta, others since", false, false, true, {"192.0.2.9"}, {}, {"192.0.2.1"}},
             {"pasta, --dns", false, false, true, {"127.0.0.53"}, {"9.9.9.9"}, {"9.9.9.9"}},
         }) {
        Attachment who = attachment();
        who.naming = {.files = {.servers = each.own},
                      .is_hosts = each.is_hosts,
                      .is_pasta = each.is_pasta,
                      .pasta_servers = each.pasta_servers};
        if (!each.on_bridge) {
            who.networks.clear();
        }
        const Resolver found = resolver_of(who, stub, behind);
        EXPECT_EQ(found.servers, each.expected) << each.what;
        EXPECT_EQ(found.search, stub.search) << each.what;
    }
}

TEST(Network, WhatNetavarkSays) {
    EXPECT_EQ(netavark_error(R"({"error":"no\nway"})", "ignored"), "no\\nway");
    EXPECT_EQ(netavark_error("", "first\nsecond\n"), "first");
    EXPECT_EQ(netavark_error("", ""), "");
}

TEST(Network, NamesOfThoseThere) {
    struct Case {
        const char* what;
        std::string text;
        std::string rest;
    };

    const Case cases[] = {
        {"nobody has gone",
         "10.1.0.1 9.9.9.9\nhere 10.1.0.2  web 1.1.1.1\n",
         "10.1.0.1 9.9.9.9\nhere 10.1.0.2  web 1.1.1.1\n"},
        {"some have gone",
         "10.1.0.1\ngone 10.1.0.2  db\nhere 10.1.0.3  here\ngone 10.1.0.4  db\n",
         "10.1.0.1\nhere 10.1.0.3  here\n"},
        {"a name is no id", "10.1.0.1\ngone 10.1.0.2  here\n", ""},
        {"nor is the beginning of one", "10.1.0.1\nhere2 10.1.0.2  web\n", ""},
        {"its writer was killed",
         "10.1.0.1\nhere 10.1.0.2  web\n\nher",
         "10.1.0.1\nhere 10.1.0.2  web\n"},
        {"and at once", "", ""},
        {"before it named anybody", "10.1.0.1\n", ""},
    };
    for (const Case& each : cases) {
        const auto is_there = [](const std::string& id) { return id == "here"; };
        EXPECT_EQ(names_of_those_there(each.text, is_there), each.rest) << each.what;
    }
}

TEST(Network, Interfaces) {
    EXPECT_EQ(interface_name({}, {}), "eth0");
    EXPECT_EQ(interface_name({}, attachment()), "eth1");
    EXPECT_EQ(interface_name({.interface_name = "lan"}, attachment()), "lan");
    EXPECT_THAT(error_of([] { interface_name({.interface_name = "eth0"}, attachment()); }),
                HasSubstr("one interface"));
}

TEST(Network, ResolvConf) {
    const Resolver host = parse_resolver("# a comment\nnameserver 10.0.0.53\n"
                                         "domain old\nsearch a.example\tb.example\n"
                                         "options edns0 ndots:2\nnameserver fe80::1%eth0\n");
    EXPECT_EQ(host,
              (Resolver{{"10.0.0.53", "fe80::1%eth0"},
                        {"a.example", "b.example"},
                        {"edns0", "ndots:2"}}));
    EXPECT_EQ(merged({}, host), host);
    const Resolver own =
        merged({.servers = {"9.9.9.9"}, .search = {"."}, .options = {"rotate"}}, host);
    EXPECT_EQ(to_text(own), "nameserver 9.9.9.9\noptions rotate\n");
}

TEST(Network, Hosts) {
    const OwnNames own{
        .addresses = {address("10.5.0.2")}, .names = {"h", "web"}, .gateway = "10.5.0.1"};
    plan::NameFiles files;
    files.entries = {{.address = "host-gateway", .name = "host"},
                     {.address = "10.0.0.9", .name = "db"}};
    EXPECT_EQ(hosts_text("127.0.0.1 localhost", own, files),
              "127.0.0.1 localhost\n10.5.0.2\th web\n10.5.0.1\thost\n10.0.0.9\tdb\n");
    EXPECT_THAT(error_of([&] { hosts_text("", {}, files); }), HasSubstr("no way to the host"));
}

TEST(Network, WordsOfPasta) {
    const auto words =
        pasta_words("pasta",
                    {{.host_ip = "127.0.0.1", .host_port = 8080, .container_port = 80},
                     {.host_port = 5000, .container_port = 6000, .range = 3, .protocol = "udp"}},
                    {"--mtu", "1400"},
                    42);
    const std::string line = [&] {
        std::string text;
        for (const std::string& word : words) {
            text += word + " ";
        }
        return text;
    }();
    EXPECT_THAT(line, HasSubstr(" -t 127.0.0.1/8080:80 "));
    EXPECT_THAT(line, HasSubstr(" -u 5000-5002:6000-6002 "));
    EXPECT_THAT(line, HasSubstr(" -T none -U none --mtu 1400 "));
    EXPECT_THAT(line, HasSubstr(" --userns /proc/42/ns/user --netns /proc/42/ns/net "));
    EXPECT_THAT(pasta_words("pasta", {}, {}, 1), testing::Contains("none").Times(4));
}

TEST(Network, TrafficOfTheDevices) {
    EXPECT_EQ(
        parse_traffic("Inter-|   Receive                            |  Transmit\n"
                      " face |bytes    packets errs drop fifo frame compressed multicast|bytes "
                      "   packets errs drop fifo colls carrier compressed\n"
                      "    lo:  900   9    0    0    0     0          0         0    900    9 "
                      "   0    0    0     0       0          0\n"
                      "  eth0: 1000  10    0    0    0     0          0         0   2000   20 "
                      "   0    0    0     0       0          0\n"
                      "  eth1:    1   2    0    0    0     0          0         0      3    4 "
                      "   0    0    0     0       0          0\n"
                      "half: 1 2\n"),
        (Traffic{1001, 12, 2003, 24}));
}

TEST(Network, LinksOfZones) {
    EXPECT_EQ(zone_link("web"), "vb-web");
    EXPECT_EQ(zone_link("a-name-of-12"), "vb-a-name-of-12");
    EXPECT_EQ(zone_link("a-name-of-13x").size(), 15U);
    EXPECT_NE(zone_link("a-name-of-13x"), zone_link("a-name-of-13y"));
}

TEST(Network, PortsInWords) {
    EXPECT_EQ(to_string(plan::PublishedPort{.host_port = 8080, .container_port = 80}),
              "8080:80/tcp");
    EXPECT_EQ(to_string(plan::PublishedPort{
                  .host_ip = "::1", .host_port = 5, .container_port = 7, .range = 2}),
              "[::1]:5-6:7-8/tcp");
}

TEST(Network, PortsAreHeld) {
    std::vector<plan::PublishedPort> ports = {{.container_port = 80}};
    const ReservedPorts held(ports);
    ASSERT_NE(ports[0].host_port, 0);
    EXPECT_THAT(error_of([&] { ReservedPorts second(ports); }), HasSubstr("in use already"));
}

TEST(NextRevival, IsAtOnceThenSlowerThenNever) {
    using std::chrono::seconds;
    const auto at = [](int second) { return Clock::time_point(seconds(second)); };

    struct Case {
        std::vector<Clock::time_point> starts;
        Clock::time_point now;
        std::optional<Clock::time_point> next;
    };

    const Case cases[] = {
        {.starts = {}, .now = at(20), .next = at(20)},
        {.starts = {at(20)}, .now = at(20), .next = at(21)},
        {.starts = {at(20)}, .now = at(25), .next = at(25)},
        {.starts = {at(20), at(21)}, .now = at(21), .next = at(22)},
        {.starts = {at(20), at(21), at(22)}, .now = at(29), .next = std::nullopt},
        {.starts = {at(20), at(21), at(22)}, .now = at(30), .next = at(30)},
        {.starts = {at(1), at(2), at(3)}, .now = at(30), .next = at(30)},
    };
    for (const Case& each : cases) {
        EXPECT_EQ(next_revival(each.starts, each.now), each.next) << each.starts.size();
    }
}

} // namespace
} // namespace sctr::network
