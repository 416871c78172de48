// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/network_connect.hpp"
#include "cli/network_create.hpp"
#include "cli/network_flags.hpp"
#include "cli/request_builder.hpp"

/// What --network, --publish and their like mean, and what is told of bad ones.
namespace sctr::cli {
namespace {

using testing::HasSubstr;

RootfsFacts facts() {
    RootfsFacts facts;
    facts.rootfs = "/r";
    facts.random_id = "0123456789ab";
    facts.default_network = DefaultNetwork::bridge;
    facts.records = "/run/sctr";
    facts.containers = {{"db", 42}};
    facts.files_of_others = {"/run/sctr/db/hosts"};
    return facts;
}

plan::Request request_of(const std::string& line, const RootfsFacts& world = facts()) {
    std::vector<std::string> words = split("--rootfs=/r " + line + " sh", ' ');
    std::erase(words, "");
    return build_request(parse_run_flags(words), world);
}

std::string error_of(const std::string& line) {
    try {
        request_of(line);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

std::string source_at(const plan::Request& request, const std::string& target) {
    for (const oci::Mount& mount : request.spec.mounts) {
        if (mount.destination == target) {
            return mount.source;
        }
    }
    return "";
}

TEST(NetworkFlags, Create) {
    NetworkCreateFlags flags{
        .subnets = {"10.5.0.0/24", "fd00:5::/64"},
        .gateways = {"10.5.0.254"},
        .ranges = {"10.5.0.128/26", "fd00:5::10-fd00:5::20"},
        .servers = {"192.0.2.1"},
        .options = {"mtu=1400", "isolate=strict", "com.docker.network.bridge.name=br7"},
        .labels = {"a=b", "c"}};
    const network::Definition made = make_network(flags, "front");
    EXPECT_EQ(made.interface, "br7");
    EXPECT_EQ(made.mtu, 1400);
    EXPECT_EQ(made.isolation, network::Isolation::strict);
    EXPECT_EQ(made.servers, std::vector<std::string>{"192.0.2.1"});
    EXPECT_EQ(made.labels, (std::map<std::string, std::string>{{"a", "b"}, {"c", ""}}));
    ASSERT_EQ(made.subnets.size(), 2);
    EXPECT_EQ(made.subnets[0].gateway->text(), "10.5.0.254");
    EXPECT_EQ(made.subnets[0].range->first.text(), "10.5.0.128");
    EXPECT_EQ(made.subnets[0].range->last.text(), "10.5.0.190");
    EXPECT_EQ(made.subnets[1].range->last.text(), "fd00:5::20");

    for (const char* range : {"10.6.0.0/25",
                              "10.5.0.20-10.5.0.10",
                              "10.5.0.20-10.6.0.1",
                              "x",
                              "-",
                              "10.5.0.0/x",
                              "10.5.0.1-fd00:5::1",
                              ""}) {
        flags.ranges = {range};
        EXPECT_THROW(make_network(flags, "front"), Error) << range;
    }
    for (const char* option : {"mtu",
                               "mtu=x",
                               "mode=l2",
                               "mode=x",
                               "vlan=5",
                               "isolate",
                               "isolate=maybe",
                               "parent=eth0"}) {
        flags = {.options = {option}};
        EXPECT_THROW(make_network(flags, "front"), Error) << option;
    }
}

TEST(NetworkFlags, NetworksOfAStoredContainerAreChanged) {
    struct Case {
        std::vector<std::string> flags;
        std::vector<std::string> expected; ///< with the network "more" added
    };

    for (const Case& each : std::initializer_list<Case>{
             {{}, {"--network=sctr", "--network=more"}},
             {{"--network=none"}, {"--network=more"}},
             {{"--network", "a:ip=10.0.0.1", "--net=b", "-e", "--network", "-it"},
              {"-e",
               "--network",
               "-it",
               "--network=a:ip=10.0.0.1",
               "--network=b",
               "--network=more"}},
             {{"--ip=10.0.0.1",
               "--ip6",
               "fd00::1",
               "--mac-address",
               "02:00:00:00:00:01",
               "--network-alias=x",
               "--network-alias",
               "y",
               "-p",
               "80:80"},
              {"-p",
               "80:80",
               "--network=sctr:ip=10.0.0.1,ip6=fd00::1,mac=02:00:00:00:00:01,alias=x,alias=y",
               "--network=more"}},
             {{"--network=a:interface_name=lan"},
              {"--network=a:interface_name=lan", "--network=more"}},
         }) {
        container::Definition definition{
            .name = "web", .flags = each.flags, .command = {"image", "--network", "x"}};
        auto networks = networks_of(definition);
        networks.push_back({.name = "more"});
        EXPECT_EQ(on_networks(definition, networks).flags, each.expected);
    }
    EXPECT_EQ(on_networks({}, {}).flags, std::vector<std::string>{"--network=none"});
    for (const char* flag : {"--network=host",
                             "--network=container:db",
                             "--network=zone:z",
                             "--network=pasta",
                             "--network=ns:/run/netns/x"}) {
        EXPECT_THROW(networks_of({.name = "web", .flags = {flag}, .command = {"image"}}), Error)
            << flag;
    }
}

TEST(NetworkFlags, Networks) {
    struct Case {
        const char* line;
        std::vector<plan::NetworkUse> expected;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"", {{.name = "sctr"}}},
             {"--network bridge", {{.name = "sctr"}}},
             {"--network none", {}},
             {"--network private", {}},
             {"--network host", {}},
             {"--network container:db", {}},
             {"--network a --network b:ip=10.0.0.5,ip6=fd00::5,alias=x,alias=y",
              {{.name = "a"},
               {.name = "b", .ip = "10.0.0.5", .ip6 = "fd00::5", .aliases = {"x", "y"}}}},
             {"--network a:ip=fd00::5,mac=02:00:00:00:00:0A,interface_name=lan",
              {{.name = "a",
                .ip6 = "fd00::5",
                .mac = "02:00:00:00:00:0a",
                .interface_name = "lan"}}},
             {"--network a --ip 10.0.0.5 --ip6 fd00::5 --mac-address 02:00:00:00:00:01",
              {{.name = "a", .ip = "10.0.0.5", .ip6 = "fd00::5", .mac = "02:00:00:00:00:01"}}},
             {"--network a --network b --network-alias x",
              {{.name = "a", .aliases = {"x"}}, {.name = "b", .aliases = {"x"}}}},
         }) {
        EXPECT_EQ(request_of(each.line).network.networks, each.expected) << each.line;
    }
}

TEST(NetworkFlags, DefaultOfTheHost) {
    RootfsFacts world = facts();
    world.default_network = DefaultNetwork::pasta;
    EXPECT_TRUE(request_of("", world).network.pasta);
    world.default_network = DefaultNetwork::none;
    EXPECT_FALSE(request_of("", world).network.is_attached());
    EXPECT_EQ(source_at(request_of("", world), "/etc/hosts"), "");
}

TEST(NetworkFlags, Ports) {
    struct Case {
        const char* line;
        std::vector<plan::PublishedPort> expected;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"-p 8080:80", {{.host_port = 8080, .container_port = 80}}},
             {"-p 80", {{.container_port = 80}}},
             {"-p 127.0.0.1::80", {{.host_ip = "127.0.0.1", .container_port = 80}}},
             {"-p [::1]:8080:80/udp",
              {{.host_ip = "::1", .host_port = 8080, .container_port = 80, .protocol = "udp"}}},
             {"-p 10-12:20-22/sctp",
              {{.host_port = 10, .container_port = 20, .range = 3, .protocol = "sctp"}}},
             {"-p 20-21", {{.container_port = 20}, {.container_port = 21}}},
             {"--expose 80", {}},
             {"-P --expose 80 --expose 53/udp -p 1:53/udp",
              {{.host_port = 1, .container_port = 53, .protocol = "udp"}, {.container_port = 80}}},
         }) {
        EXPECT_EQ(request_of(each.line).network.ports, each.expected) << each.line;
    }
}

TEST(NetworkFlags, PortsOfTheImage) {
    RootfsFacts world = facts();
    world.image_process.exposed_ports = {{"80", {}}, {"53/udp", {}}};
    EXPECT_TRUE(request_of("", world).network.ports.empty());
    const std::vector<plan::PublishedPort> both = {{.container_port = 53, .protocol = "udp"},
                                                   {.container_port = 80}};
    EXPECT_EQ(request_of("-P", world).network.ports, both);
    EXPECT_EQ(request_of("-P --expose 80 -p 1:53/udp", world).network.ports.size(), 2U);
    world.image_process.exposed_ports = {{"http", {}}};
    EXPECT_THROW(request_of("-P", world), Error);
}

TEST(NetworkFlags, AnImageThatNamesPortsWithoutEnd) {
    RootfsFacts world = facts();
    for (int first = 1; first < 60000; ++first) {
        world.image_process.exposed_ports[std::to_string(first) + "-65535/tcp"] = {};
    }
    EXPECT_TRUE(request_of("", world).network.ports.empty());
    try {
        (void)request_of("-P", world);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("more than 1000"));
    }
    world.image_process.exposed_ports = {{"1-1000/tcp", {}}};
    EXPECT_EQ(request_of("-P", world).network.ports.size(), 1000U);
    EXPECT_THAT(error_of("-P --expose 1-1001"), HasSubstr("more than 1000"));
    EXPECT_TRUE(request_of("--expose 1-65535", world).network.ports.empty());
}

TEST(NetworkFlags, PropertiesAreStillProperties) {
    const plan::Request request = request_of("-p CPUWeight=7 -p 8080:80");
    ASSERT_EQ(request.extra_properties.size(), 1U);
    EXPECT_EQ(request.extra_properties.front().name, "CPUWeight");
    EXPECT_EQ(request.network.ports.size(), 1U);
}

TEST(NetworkFlags, Files) {
    struct Case {
        const char* line;
        const char* target;
        const char* source;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"--name web", "/etc/hosts", "/run/sctr/web/hosts"},
             {"--name web", "/etc/resolv.conf", "/run/sctr/web/resolv.conf"},
             {"--name web", "/etc/hostname", "/run/sctr/web/hostname"},
             {"--name web --no-hosts", "/etc/hosts", ""},
             {"--name web --dns none", "/etc/resolv.conf", ""},
             {"--name web --network none", "/etc/hosts", ""},
             {"--name web --network none --add-host a:10.0.0.1",
              "/etc/hosts",
              "/run/sctr/web/hosts"},
             {"--name web --network none --dns 9.9.9.9",
              "/etc/resolv.conf",
              "/run/sctr/web/resolv.conf"},
             {"--name web --network host", "/etc/hosts", "/run/sctr/web/hosts"},
             {"--name web --network host", "/etc/hostname", ""},
             {"--name web --no-hostname", "/etc/hostname", ""},
             {"-v /own:/etc/hosts", "/etc/hosts", "/own"},
             {"-v /own:/etc", "/etc/hosts", ""},
             {"--network container:db", "/etc/hosts", "/run/sctr/db/hosts"},
             {"--network container:db", "/etc/resolv.conf", ""},
         }) {
        EXPECT_EQ(source_at(request_of(each.line), each.target), each.source) << each.line;
    }
}

TEST(NetworkFlags, FilesWhereNothingCanBeMade) {
    RootfsFacts world = facts();
    world.cannot_make_files = true;
    world.files_of_root = {"/etc/hosts"};
    const plan::Request request = request_of("--name web", world);
    EXPECT_EQ(source_at(request, "/etc/hosts"), "/run/sctr/web/hosts");
    EXPECT_EQ(source_at(request, "/etc/resolv.conf"), "");
    EXPECT_FALSE(request.network.files.resolv_conf);
}

TEST(NetworkFlags, Errors) {
    struct Case {
        const char* line;
        const char* expected;
    };

    for (const Case& each : std::initializer_list<Case>{
             {"--network a/b", "invalid network name"},
             {"--network a:x=y", "no option of a network"},
             {"--network a:ip=x", "'x' is no address"},
             {"--network a:ip6=10.0.0.1", "no IPv6 address"},
             {"--network a:mac=01:00:00:00:00:01", "no device's"},
             {"--network a:alias=-x", "no host name"},
             {"--network a:alias=a=b", "no host name"},
             {"--network a:interface_name=a/b", "no name of a device"},
             {"--network a --network a", "named twice"},
             {"--network a --network host", "do not go together"},
             {"--network a --network pasta", "do not go together"},
             {"--network macvlan", "--parent"},
             {"--network pasta --userns ns:/proc/1/ns/user", "add --network container:NAME"},
             {"--network zone", "no zone can have this name"},
             {"--network zone:a-long-name-1", "no zone can have this name"},
             {"--network zone:a/b", "no zone can have this name"},
             {"--network zone:a --network b", "do not go together"},
             {"--network zone:a -p 80", "systemd-networkd has the addresses"},
             {"--network slirp4netns", "use --network pasta"},
             {"--network none -p 80", "loopback device alone"},
             {"--network host -p 80", "host's own ports"},
             {"--network none --ip 10.0.0.1", "only a network gives"},
             {"--network none --network-alias x", "only a network gives"},
             {"--network a --network b --ip 10.0.0.1", "which of the networks?"},
             {"--ip fd00::1", "--ip"},
             {"--ip6 10.0.0.1", "--ip6"},
             {"--mac-address x", "--mac-address"},
             {"--network-alias a,b", "--network-alias"},
             {"-p 0:80", "no port from 1"},
             {"-p 80:65536", "no port from 1"},
             {"-p 1-2:3", "differ in length"},
             {"-p 2-1:2-1", "no port from 1"},
             {"-p x", "no port from 1"},
             {"-p 80/icmp", "no such protocol"},
             {"-p 300.0.0.1:1:2", "no address"},
             {"-p [::1:1:2", "--publish"},
             {"-p 1:2:3:4", "no port from 1"},
             {"--expose 80/x", "no such protocol"},
             {"--dns x", "--dns"},
             {"--add-host a", "--add-host"},
             {"--add-host a:b", "--add-host"},
             {"--add-host a,b:10.0.0.1", "--add-host"},
             {"--no-hosts --add-host a:10.0.0.1", "do not go together"},
         }) {
        EXPECT_THAT(error_of(each.line), HasSubstr(each.expected)) << each.line;
    }
}

} // namespace
} // namespace sctr::cli
