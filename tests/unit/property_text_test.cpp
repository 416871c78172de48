// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/property_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <csignal>

#include "base/error.hpp"

namespace sctr::plan {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;
using Names = std::vector<std::string>;
using Prefixes = std::vector<AddressPrefix>;
using BindRules = std::vector<SocketBindRule>;

constexpr std::uint64_t infinity = UINT64_MAX;

struct Case {
    const char* text;
    const char* name;
    PropertyValue value;
};

void expect(std::initializer_list<Case> cases) {
    for (const Case& each : cases) {
        EXPECT_EQ(parse_property(each.text), (UnitProperty{each.name, each.value})) << each.text;
    }
}

PropertyValue number(std::uint64_t value) {
    return value;
}

PropertyValue text(const char* value) {
    return std::string(value);
}

TEST(ParseProperty, ReadsCpu) {
    expect({
        {"CPUWeight=300", "CPUWeight", number(300)},
        {"CPUWeight=idle", "CPUWeight", number(0)},
        {"StartupCPUWeight=1", "StartupCPUWeight", number(1)},
        {"CPUQuota=20%", "CPUQuotaPerSecUSec", number(200000)},
        {"CPUQuota=150.5%", "CPUQuotaPerSecUSec", number(1505000)},
        {"CPUQuotaPeriodSec=10ms", "CPUQuotaPeriodUSec", number(10000)},
        {"AllowedCPUs=0-2", "AllowedCPUs", Bytes{7}},
        {"AllowedCPUs=0 64", "AllowedCPUs", Bytes{1, 0, 0, 0, 0, 0, 0, 0, 1}},
        {"AllowedCPUs=", "AllowedCPUs", Bytes{}},
        {"StartupAllowedCPUs=1", "StartupAllowedCPUs", Bytes{2}},
        {"AllowedMemoryNodes=0", "AllowedMemoryNodes", Bytes{1}},
        {"CPUAccounting=yes", "CPUAccounting", true},
    });
}

TEST(ParseProperty, ReadsMemoryAndTasks) {
    expect({
        {"MemoryMax=1048576", "MemoryMax", number(1 << 20)},
        {"MemoryMax=512M", "MemoryMax", number(512ULL << 20)},
        {"MemoryMax=1.5G", "MemoryMax", number(3ULL << 29)},
        {"MemoryMax=2T", "MemoryMax", number(2ULL << 40)},
        {"MemoryMax=7K", "MemoryMax", number(7168)},
        {"MemoryMax=9B", "MemoryMax", number(9)},
        {"MemoryMax=infinity", "MemoryMax", number(infinity)},
        {"MemoryMax=25%", "MemoryMaxScale", std::uint32_t{0x40000000}},
        {"MemoryMax=100%", "MemoryMaxScale", UINT32_MAX},
        {"MemoryMin=0", "MemoryMin", number(0)},
        {"MemoryLow=1K", "MemoryLow", number(1024)},
        {"MemoryHigh=0.5%", "MemoryHighScale", std::uint32_t{21474836}},
        {"MemorySwapMax=0", "MemorySwapMax", number(0)},
        {"MemoryZSwapMax=1M", "MemoryZSwapMax", number(1 << 20)},
        {"TasksMax=100", "TasksMax", number(100)},
        {"TasksMax=infinity", "TasksMax", number(infinity)},
        {"TasksMax=50%", "TasksMaxScale", std::uint32_t{0x80000000}},
        {"ManagedOOMMemoryPressureLimit=60%",
         "ManagedOOMMemoryPressureLimit",
         std::uint32_t{2576980377}},
        {"ManagedOOMMemoryPressureDurationSec=30",
         "ManagedOOMMemoryPressureDurationUSec",
         number(30000000)},
        {"ManagedOOMMemoryPressure=kill", "ManagedOOMMemoryPressure", text("kill")},
        {"ManagedOOMSwap=auto", "ManagedOOMSwap", text("auto")},
        {"ManagedOOMPreference=avoid", "ManagedOOMPreference", text("avoid")},
        {"OOMPolicy=continue", "OOMPolicy", text("continue")},
        {"MemoryPressureWatch=off", "MemoryPressureWatch", text("off")},
    });
}

TEST(ParseProperty, ReadsIoAndDevices) {
    expect({
        {"IOWeight=10000", "IOWeight", number(10000)},
        {"IODeviceWeight=/dev/sda 200", "IODeviceWeight", DeviceLimits{{"/dev/sda", 200}}},
        {"IOReadBandwidthMax=/dev/sda 5M",
         "IOReadBandwidthMax",
         DeviceLimits{{"/dev/sda", 5000000}}},
        {"IOWriteBandwidthMax=/var infinity",
         "IOWriteBandwidthMax",
         DeviceLimits{{"/var", infinity}}},
        {"IOReadIOPSMax=/dev/sda 1K", "IOReadIOPSMax", DeviceLimits{{"/dev/sda", 1000}}},
        {"IOWriteIOPSMax=", "IOWriteIOPSMax", DeviceLimits{}},
        {"IODeviceLatencyTargetSec=/dev/sda 25ms",
         "IODeviceLatencyTargetUSec",
         DeviceLimits{{"/dev/sda", 25000}}},
        {"DeviceAllow=/dev/null rw", "DeviceAllow", StringPairs{{"/dev/null", "rw"}}},
        {"DeviceAllow=char-pts r", "DeviceAllow", StringPairs{{"char-pts", "r"}}},
        {"DeviceAllow=block-*", "DeviceAllow", StringPairs{{"block-*", "rwm"}}},
        {"DeviceAllow=", "DeviceAllow", StringPairs{}},
        {"DevicePolicy=closed", "DevicePolicy", text("closed")},
    });
}

TEST(ParseProperty, ReadsNetworks) {
    Bytes loopback(16);
    loopback.back() = 1;
    Bytes link_local(16);
    link_local[0] = 0xfe;
    link_local[1] = 0x80;
    Bytes multicast(16);
    multicast[0] = 0xff;
    const AddressPrefix any4{AF_INET, Bytes(4), 0};
    const AddressPrefix any6{AF_INET6, Bytes(16), 0};
    expect({
        {"IPAddressDeny=any", "IPAddressDeny", Prefixes{any4, any6}},
        {"IPAddressAllow=localhost",
         "IPAddressAllow",
         Prefixes{{AF_INET, {127, 0, 0, 0}, 8}, {AF_INET6, loopback, 128}}},
        {"IPAddressAllow=link-local",
         "IPAddressAllow",
         Prefixes{{AF_INET, {169, 254, 0, 0}, 16}, {AF_INET6, link_local, 64}}},
        {"IPAddressAllow=multicast",
         "IPAddressAllow",
         Prefixes{{AF_INET, {224, 0, 0, 0}, 4}, {AF_INET6, multicast, 8}}},
        {"IPAddressAllow=10.1.2.3/12 192.0.2.7",
         "IPAddressAllow",
         Prefixes{{AF_INET, {10, 0, 0, 0}, 12}, {AF_INET, {192, 0, 2, 7}, 32}}},
        {"IPAddressAllow=fe80::1/9", "IPAddressAllow", Prefixes{{AF_INET6, link_local, 9}}},
        {"IPAddressAllow=", "IPAddressAllow", Prefixes{}},
        {"SocketBindAllow=80", "SocketBindAllow", BindRules{{AF_UNSPEC, 0, 1, 80}}},
        {"SocketBindAllow=ipv4:tcp:8000-8010",
         "SocketBindAllow",
         BindRules{{AF_INET, IPPROTO_TCP, 11, 8000}}},
        {"SocketBindAllow=ipv6:53", "SocketBindAllow", BindRules{{AF_INET6, 0, 1, 53}}},
        {"SocketBindAllow=udp", "SocketBindAllow", BindRules{{AF_UNSPEC, IPPROTO_UDP, 0, 0}}},
        {"SocketBindDeny=any", "SocketBindDeny", BindRules{{AF_UNSPEC, 0, 0, 0}}},
        {"SocketBindDeny=ipv6:tcp:any", "SocketBindDeny", BindRules{{AF_INET6, IPPROTO_TCP, 0, 0}}},
        {"SocketBindDeny=", "SocketBindDeny", BindRules{}},
        {"RestrictNetworkInterfaces=eth0 lo",
         "RestrictNetworkInterfaces",
         InterfaceList{true, {"eth0", "lo"}}},
        {"RestrictNetworkInterfaces=~eth1",
         "RestrictNetworkInterfaces",
         InterfaceList{false, {"eth1"}}},
    });
}

TEST(ParseProperty, ReadsLifeAndDeath) {
    expect({
        {"KillMode=mixed", "KillMode", text("mixed")},
        {"KillSignal=SIGINT", "KillSignal", std::int32_t{SIGINT}},
        {"RestartKillSignal=TERM", "RestartKillSignal", std::int32_t{SIGTERM}},
        {"FinalKillSignal=6", "FinalKillSignal", std::int32_t{SIGABRT}},
        {"SendSIGKILL=off", "SendSIGKILL", false},
        {"SendSIGHUP=true", "SendSIGHUP", true},
        {"TimeoutStopSec=90", "TimeoutStopUSec", number(90000000)},
        {"TimeoutStopSec=1min 30s", "TimeoutStopUSec", number(90000000)},
        {"TimeoutStopSec=1h20min5ms", "TimeoutStopUSec", number(4800005000)},
        {"TimeoutStopSec=0.5", "TimeoutStopUSec", number(500000)},
        {"TimeoutStopSec=infinity", "TimeoutStopUSec", number(infinity)},
        {"RuntimeMaxSec=2 weeks", "RuntimeMaxUSec", number(1209600000000)},
        {"Delegate=no", "Delegate", false},
        {"Delegate=cpu memory", "DelegateControllers", Names{"cpu", "memory"}},
        {"Slice=machine.slice", "Slice", text("machine.slice")},
        {"Description=a = b", "Description", text("a = b")},
        {"After=a.service b.mount", "After", Names{"a.service", "b.mount"}},
        {"Before=x.target", "Before", Names{"x.target"}},
        {"Requires=x.target", "Requires", Names{"x.target"}},
        {"Wants=x.target", "Wants", Names{"x.target"}},
        {"BindsTo=x.device", "BindsTo", Names{"x.device"}},
        {"PartOf=x.target", "PartOf", Names{"x.target"}},
        {"Conflicts=x.target", "Conflicts", Names{"x.target"}},
        {"Documentation=man:a(1) man:b(2)", "Documentation", Names{"man:a(1)", "man:b(2)"}},
        {"CollectMode=inactive-or-failed", "CollectMode", text("inactive-or-failed")},
        {"DefaultDependencies=0", "DefaultDependencies", false},
        {"CoredumpReceive=1", "CoredumpReceive", true},
        {"BPFProgram=egress:/sys/fs/bpf/x", "BPFProgram", StringPairs{{"egress", "/sys/fs/bpf/x"}}},
    });
}

TEST(ParseProperty, RefusesAndSaysWhatIsRight) {
    const struct {
        const char* text;
        const char* where;
        const char* mend;
    } cases[] = {
        {"MemoryMax", "bad unit property: MemoryMax", "NAME=VALUE"},
        {"=1", "bad unit property: =1", "NAME=VALUE"},
        {"MemoryMaks=1", "unknown unit property: MemoryMaks", "did you mean MemoryMax?"},
        {"memorymax=1", "unknown unit property: memorymax", "did you mean MemoryMax?"},
        {"CPUQuotaPerSecUSec=1", "unknown unit property", "did you mean CPUQuota?"},
        {"TimeoutStopUSec=1", "unknown unit property", "did you mean TimeoutStopSec?"},
        {"Xyzzy=1", "unknown unit property: Xyzzy", "systemd.resource-control(5)"},
        {"Environment=A=b", "Environment: a container is a scope", "use --env"},
        {"ExecStartPre=/bin/true", "ExecStartPre", "scopes do not have it"},
        {"ProtectSystem=strict", "ProtectSystem", "scopes do not have it"},
        {"LimitNOFILE=5", "LimitNOFILE", "use --ulimit"},
        {"OOMScoreAdjust=5", "OOMScoreAdjust", "use --oom-score-adj"},
        {"MemoryMax=lots", "bad value 'lots': MemoryMax", "512M"},
        {"MemoryMax=-1", "bad value '-1'", "infinity"},
        {"MemoryMax=101%", "bad value '101%'", "infinity"},
        {"MemoryMax=", "bad value ''", "512M"},
        {"MemoryMax=16E", "bad value '16E'", "512M"},
        {"MemoryMax=1MB", "bad value '1MB'", "512M"},
        {"TasksMax=0", "bad value '0'", "a number from 1"},
        {"CPUWeight=0", "bad value '0'", "1 to 10000, or idle"},
        {"CPUWeight=10001", "bad value '10001'", "1 to 10000"},
        {"IOWeight=idle", "bad value 'idle'", "1 to 10000"},
        {"CPUQuota=0%", "bad value '0%'", "20%"},
        {"CPUQuota=20", "bad value '20'", "20%"},
        {"AllowedCPUs=a", "bad value 'a'", "0-3,7"},
        {"KillMode=none-at-all", "KillMode", "control-group, mixed, process, none"},
        {"KillSignal=SIGNOPE", "KillSignal", "SIGTERM"},
        {"SendSIGKILL=perhaps", "SendSIGKILL", "yes or no"},
        {"TimeoutStopSec=5 lightyears", "TimeoutStopSec", "1min 30s"},
        {"TimeoutStopSec=", "TimeoutStopSec", "1min 30s"},
        {"TimeoutStopSec=-1", "TimeoutStopSec", "1min 30s"},
        {"Slice=.slice", "Slice", "machine.slice"},
        {"Slice=machine", "Slice", "machine.slice"},
        {"After=network", "After", "network.target"},
        {"After=", "After", "network.target"},
        {"IOReadBandwidthMax=5M", "IOReadBandwidthMax", "/dev/sda 5M"},
        {"IOReadBandwidthMax=sda 5M", "IOReadBandwidthMax", "/dev/sda 5M"},
        {"IODeviceWeight=/dev/sda 0", "IODeviceWeight", "1 to 10000"},
        {"DeviceAllow=/dev/null rx", "DeviceAllow", "/dev/null rw"},
        {"DeviceAllow=/etc/passwd r", "DeviceAllow", "/dev/null rw"},
        {"IPAddressAllow=10.0.0.0/33", "IPAddressAllow", "10.0.0.0/8"},
        {"IPAddressAllow=example.org", "IPAddressAllow", "localhost"},
        {"SocketBindAllow=0", "SocketBindAllow", "ipv4:tcp"},
        {"SocketBindAllow=65536", "SocketBindAllow", "ipv4:tcp"},
        {"SocketBindAllow=20-10", "SocketBindAllow", "ipv4:tcp"},
        {"SocketBindAllow=tcp:ipv4:5", "SocketBindAllow", "ipv4:tcp"},
        {"ManagedOOMMemoryPressureLimit=5", "ManagedOOMMemoryPressureLimit", "0% to 100%"},
        {"BPFProgram=egress", "BPFProgram", "egress:/sys/fs/bpf/program"},
    };

    for (const auto& each : cases) {
        try {
            parse_property(each.text);
            ADD_FAILURE() << each.text << " was taken";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), AllOf(HasSubstr(each.where), HasSubstr(each.mend)))
                << each.text;
        }
    }
}

} // namespace
} // namespace sctr::plan
