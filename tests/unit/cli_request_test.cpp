// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "oci/serialize.hpp"
#include "plan/capabilities.hpp"
#include "plan/launch_plan.hpp"
#include "plan/property_text.hpp"

/// From command lines to requests: what each flag sets, and what each bad value is told.
namespace sctr::cli {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

RootfsFacts facts() {
    RootfsFacts facts;
    facts.rootfs = "/r";
    facts.random_id = "0123456789ab";
    facts.working_directory = "/here";
    facts.passwd = "root:x:0:0:root:/root:/bin/sh\n"
                   "web:x:33:34::/var/www:/bin/false\n"
                   "1000:x:7:7::/seven:/bin/sh\n"
                   "short:line\n"
                   "far:x:99999999999:0::/:/bin/sh\n";
    facts.group = "root:x:0:root\nwww:x:34:\nlog:x:4:web,other\ndisk:x:6:web\n";
    facts.environment = {
        {"OWN", "mine"}, {"TERM", "foot"}, {"no_proxy", "lan"}, {"NOTIFY_SOCKET", "/run/n"}};
    facts.devices["/dev/sda"] = {{.path = "/dev/sda", .type = 'b', .major = 8, .mode = 0660}};
    facts.devices["/dev/fuse"] = {
        {.path = "/dev/fuse", .type = 'c', .major = 10, .minor = 229, .mode = 0666}};
    facts.devices["/dev/snd"] = {
        {.path = "/dev/snd/seq", .type = 'c', .major = 116, .minor = 1, .gid = 29}};
    facts.all_devices = {{.path = "/dev/kvm", .type = 'c', .major = 10, .minor = 232}};
    facts.containers = {{"db", 42}};
    facts.seccomp_profile = R"({"defaultAction":"SCMP_ACT_ALLOW"})";
    facts.capabilities = ~(std::uint64_t{1} << CAP_SYS_RESOURCE); // a root that is bounded itself
    return facts;
}

plan::Request request_of(const std::string& line, const RootfsFacts& world = facts()) {
    std::vector<std::string> words = split(line, ' ');
    std::erase(words, "");
    if (world.image.empty()) {
        words.insert(words.begin(), "--rootfs=/r");
    }
    const RunFlags flags = parse_run_flags(words);
    return as_typed(flags.typed, [&] { return build_request(flags, world); });
}

json config_of(const std::string& line) {
    return json::parse(oci::serialize(request_of(line).spec));
}

/// A command line, a place in the OCI config, and what must be there; "absent" for nothing.
struct Case {
    const char* line;
    const char* pointer;
    const char* expected;
};

void expect(std::initializer_list<Case> cases) {
    for (const Case& each : cases) {
        const json config = config_of(each.line);
        const json::json_pointer pointer(each.pointer);
        if (std::string_view(each.expected) == "absent") {
            EXPECT_FALSE(config.contains(pointer))
                << each.line << " at " << each.pointer << ": " << config[pointer];
            continue;
        }
        ASSERT_TRUE(config.contains(pointer)) << each.line << " at " << each.pointer;
        EXPECT_EQ(config[pointer], json::parse(each.expected)) << each.line;
    }
}

const json* mount_at(const json& config, const std::string& destination) {
    for (const json& mount : config["mounts"]) {
        if (mount["destination"] == destination) {
            return &mount;
        }
    }
    return nullptr;
}

TEST(CliRequest, Process) {
    expect({
        {"sh", "/root/path", R"("/r")"},
        {"sh -c true", "/process/args", R"(["sh","-c","true"])"},
        {"-- -x", "/process/args", R"(["-x"])"},
        {"sh -- --name=x", "/process/args", R"(["sh","--","--name=x"])"},
        {"--entrypoint /bin/e a b", "/process/args", R"(["/bin/e","a","b"])"},
        {"--entrypoint= sh", "/process/args", R"(["sh"])"},
        {"sh", "/process/cwd", R"("/")"},
        {"-w /a/./b/ sh", "/process/cwd", R"("/a/b")"},
        {"-it sh", "/process/terminal", "true"},
        {"sh", "/hostname", R"("0123456789ab")"},
        {"--name web sh", "/hostname", R"("web")"},
        {"--name web --hostname h.x sh", "/hostname", R"("h.x")"},
        {"--uts host sh", "/hostname", "absent"},
        {"--oom-score-adj -500 sh", "/process/oomScoreAdj", "-500"},
        {"--ulimit nofile=1024:2048 sh",
         "/process/rlimits",
         R"([{"type":"RLIMIT_NOFILE","soft":1024,"hard":2048}])"},
        {"--ulimit core=-1 --ulimit core=0 sh",
         "/process/rlimits",
         R"([{"type":"RLIMIT_CORE","soft":0,"hard":0}])"},
        {"--ulimit host sh", "/process/rlimits", "absent"},
        {"sh", "/process/user/umask", "absent"},
        {"--umask 0027 sh", "/process/user/umask", "23"},
        {"--umask 0 sh", "/process/user/umask", "0"},
        {"--security-opt no-new-privileges sh", "/process/noNewPrivileges", "true"},
        {"--security-opt apparmor=p sh", "/process/apparmorProfile", R"("p")"},
    });
}

TEST(CliRequest, TheAppArmorProfileOfWhoAsksForNone) {
    struct ProfileCase {
        const char* line;
        bool is_loaded;
        const char* profile;
    };

    const std::array cases{
        ProfileCase{"sh", false, ""},
        ProfileCase{"sh", true, "sctr-default"},
        ProfileCase{"--cap-add ALL --security-opt seccomp=unconfined sh", true, "sctr-default"},
        ProfileCase{"--security-opt apparmor=own sh", true, "own"},
        ProfileCase{"--security-opt apparmor=unconfined sh", true, "unconfined"},
    };
    for (const ProfileCase& each : cases) {
        RootfsFacts world = facts();
        world.has_own_apparmor_profile = each.is_loaded;
        EXPECT_EQ(request_of(each.line, world).spec.process->apparmor_profile, each.profile)
            << each.line;
    }
}

TEST(CliRequest, FlagsAreFoundHoweverTheyAreWritten) {
    expect({
        {"-m1g sh", "/linux/resources/memory/limit", "1073741824"},
        {"--memory=1g sh", "/linux/resources/memory/limit", "1073741824"},
        {"-itw /x sh", "/process/cwd", R"("/x")"},
        {"-itw/x sh", "/process/cwd", R"("/x")"},
        {"--net=host sh", "/linux/namespaces/5", "absent"},
        {"--tty=true sh", "/process/terminal", "true"},
    });
}

TEST(CliRequest, Environment) {
    const struct {
        const char* line;
        const char* variable;
        bool present;
    } cases[] = {
        {"sh", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", true},
        {"sh", "HOME=/root", true},
        {"sh", "HOSTNAME=0123456789ab", true},
        {"sh", "container=sctr", true},
        {"sh", "TERM=foot", false},
        {"-t sh", "TERM=foot", true},
        {"-t -e TERM=vt100 sh", "TERM=vt100", true},
        {"-u web sh", "HOME=/var/www", true},
        {"-u 4242 sh", "HOME=/", true},
        {"-e HOME=/h sh", "HOME=/h", true},
        {"-e A=1 -e A=2=3 sh", "A=2=3", true},
        {"-e A=1 -e A=2 sh", "A=1", false},
        {"-e A= sh", "A=", true},
        {"-e OWN sh", "OWN=mine", true},
        {"-e NOBODYS sh", "NOBODYS=", false},
        {"-e A=1 --unsetenv A --unsetenv B sh", "A=1", true}, // as podman
        {"--unsetenv container sh", "container=sctr", false},
        {"--unsetenv HOME sh", "HOME=/root", false},
        {"--unsetenv-all -e A=1 sh", "A=1", true},
        {"--unsetenv-all -e A=1 sh", "HOME=/root", false},
        {"--unsetenv-all -e A=1 sh", "container=sctr", false},
        {"sh", "OWN=mine", false},
        {"sh", "no_proxy=lan", false},
        {"--http-proxy sh", "no_proxy=lan", true},
        {"--http-proxy sh", "OWN=mine", false},
        {"--http-proxy -e no_proxy= sh", "no_proxy=lan", false},
        {"--http-proxy=false sh", "no_proxy=lan", false},
        {"--env-host sh", "OWN=mine", true},
        {"--env-host sh", "no_proxy=lan", true},
        {"--env-host sh", "container=sctr", true},
        {"--env-host sh", "NOTIFY_SOCKET=/run/n", false},
        {"--env-host -e OWN=other sh", "OWN=mine", false},
    };

    for (const auto& each : cases) {
        const auto env = request_of(each.line).spec.process->env;
        EXPECT_EQ(std::ranges::contains(env, each.variable), each.present)
            << each.line << ": " << join(env, " ");
    }
}

TEST(CliRequest, EnvFilesComeBeforeFlags) {
    RootfsFacts world = facts();
    world.env_files = {"# a comment\n\n  A=from file\r\nB=\"quoted\"\nOWN\n", "C=3"};
    const auto env = request_of("-e A=flag sh", world).spec.process->env;
    EXPECT_THAT(env, testing::IsSupersetOf({"A=flag", "B=\"quoted\"", "OWN=mine", "C=3"}));
}

TEST(CliRequest, TheImageHasTheLastWordOverTheHost) {
    RootfsFacts world = facts();
    world.image_process.env = {"OWN=image", "PATH=/image"};
    world.environment["PATH"] = "/host";
    EXPECT_THAT(request_of("--env-host sh", world).spec.process->env,
                testing::IsSupersetOf({"OWN=image", "PATH=/image"}));
    EXPECT_THAT(request_of("--env-host --unsetenv-all sh", world).spec.process->env,
                testing::IsEmpty());
}

TEST(CliRequest, LabelFilesComeBeforeFlags) {
    RootfsFacts world = facts();
    world.label_files = {{"/one", "# a comment\n\n  a=1=1\r\nb\nc=one"},
                         {"/two", "c=two\nd=x y\n"}};
    EXPECT_EQ(labels_of(request_of("-l b=flag sh", world).spec.annotations),
              (std::map<std::string, std::string>{
                  {"a", "1=1"}, {"b", "flag"}, {"c", "two"}, {"d", "x y"}}));
    for (const char* line : {"=x", "a b=x", "a b"}) {
        world.label_files = {{"/one", "a=1\n"}, {"/two", "b=1\n\n" + std::string(line)}};
        try {
            request_of("sh", world);
            ADD_FAILURE() << line;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr("--label-file /two:3: "));
        }
    }
}

TEST(CliRequest, TimeZone) {
    RootfsFacts world = facts();
    world.time_zone_file = "/usr/share/zoneinfo/Asia/Tokyo";
    const auto mounts = request_of("--tz Asia/Tokyo sh", world).spec.mounts;
    const auto found = std::ranges::find(mounts, "/etc/localtime", &oci::Mount::destination);
    ASSERT_NE(found, mounts.end());
    EXPECT_EQ(found->source, world.time_zone_file);
    EXPECT_THAT(found->options, testing::IsSupersetOf({"bind", "ro", "cover-symlink"}));
    EXPECT_THROW(request_of("--tz Asia/Tokyo -v /a:/etc/localtime sh", world), Error);
}

TEST(CliRequest, User) {
    expect({
        {"sh", "/process/user", R"({"uid":0,"gid":0,"additionalGids":[0]})"},
        {"-u web sh", "/process/user", R"({"uid":33,"gid":34,"additionalGids":[34,4,6]})"},
        {"-u 33 sh", "/process/user", R"({"uid":33,"gid":34,"additionalGids":[34,4,6]})"},
        {"-u web:log sh", "/process/user", R"({"uid":33,"gid":4,"additionalGids":[4]})"},
        {"-u web:77 sh", "/process/user", R"({"uid":33,"gid":77,"additionalGids":[77]})"},
        {"-u 4242 sh", "/process/user", R"({"uid":4242,"gid":0,"additionalGids":[0]})"},
        {"--group-add log --group-add 77 --group-add log sh",
         "/process/user/additionalGids",
         "[0,4,77]"},
        {"-u web:77 --group-add log sh", "/process/user/additionalGids", "[77,4]"},
        {"-u 1000 sh", "/process/user", R"({"uid":7,"gid":7,"additionalGids":[7]})"},
    });
}

TEST(CliRequest, Limits) {
    expect({
        {"sh", "/linux/resources/memory", "absent"},
        {"-m 512m sh", "/linux/resources/memory", R"({"limit":536870912,"swap":1073741824})"},
        {"-m 1g --memory-swap 1g sh", "/linux/resources/memory/swap", "1073741824"},
        {"-m 1g --memory-swap -1 sh", "/linux/resources/memory/swap", "-1"},
        {"-m -1 sh", "/linux/resources/memory", R"({"limit":-1})"},
        {"-m 0 sh", "/linux/resources/memory", R"({"limit":-1})"},
        {"--memory-reservation 64m sh", "/linux/resources/memory", R"({"reservation":67108864})"},
        {"-m 1g -m 6m sh", "/linux/resources/memory/limit", "6291456"},
        {"--cpus 1.5 sh", "/linux/resources/cpu", R"({"quota":150000,"period":100000})"},
        {"--cpus .01 sh", "/linux/resources/cpu/quota", "1000"},
        {"--cpu-quota 20000 sh", "/linux/resources/cpu", R"({"quota":20000,"period":100000})"},
        {"--cpu-quota 5000 --cpu-period 10000 sh",
         "/linux/resources/cpu",
         R"({"quota":5000,"period":10000})"},
        {"--cpu-quota 0 sh", "/linux/resources/cpu/quota", "-1"},
        {"--cpu-weight 300 sh", "/linux/resources/unified", R"({"cpu.weight":"300"})"},
        {"--cpu-shares 512 sh", "/linux/resources/cpu", R"({"shares":512})"},
        {"--cpuset-cpus 0-1,3 sh", "/linux/resources/cpu/cpus", R"("0-1,3")"},
        {"--cpuset-mems 0 sh", "/linux/resources/cpu/mems", R"("0")"},
        {"--pids-limit 100 sh", "/linux/resources/pids/limit", "100"},
        {"--tasks-max 5 sh", "/linux/resources/pids/limit", "5"},
        {"--pids-limit 0 sh", "/linux/resources/pids/limit", "-1"},
        {"--io-weight 10 sh", "/linux/resources/unified", R"({"io.weight":"10"})"},
        {"--device-read-bps /dev/sda:1m sh",
         "/linux/resources/blockIO/throttleReadBpsDevice",
         R"([{"major":8,"minor":0,"rate":1048576}])"},
        {"--device-write-bps /dev/sda:2k sh",
         "/linux/resources/blockIO/throttleWriteBpsDevice/0/rate",
         "2048"},
        {"--device-read-iops /dev/sda:50 sh",
         "/linux/resources/blockIO/throttleReadIOPSDevice/0/rate",
         "50"},
        {"--device-write-iops /dev/sda:60 sh",
         "/linux/resources/blockIO/throttleWriteIOPSDevice/0/rate",
         "60"},
    });
}

TEST(CliRequest, Namespaces) {
    constexpr const char* fresh = R"([{"type":"mount"},{"type":"pid"},{"type":"ipc"},
        {"type":"uts"},{"type":"cgroup"},{"type":"network"}])";
    expect({
        {"sh", "/linux/namespaces", fresh},
        {"--pid private --ipc shareable --network none --userns host sh",
         "/linux/namespaces",
         fresh},
        {"--pid host --ipc host --uts host --cgroupns host --net host sh",
         "/linux/namespaces",
         R"([{"type":"mount"}])"},
        {"--pid container:db sh", "/linux/namespaces/1/path", R"("/proc/42/ns/pid")"},
        {"--network container:db sh", "/linux/namespaces/5/path", R"("/proc/42/ns/net")"},
        {"--network ns:/run/netns/a sh", "/linux/namespaces/5/path", R"("/run/netns/a")"},
        {"--ipc /run/ipc sh", "/linux/namespaces/2/path", R"("/run/ipc")"},
        {"--userns ns:/u sh", "/linux/namespaces/6", R"({"type":"user","path":"/u"})"},
        {"--uidmap 0:100000:65536 sh",
         "/linux/uidMappings",
         R"([{"containerID":0,"hostID":100000,"size":65536}])"},
        {"--uidmap 0:100000:65536 sh",
         "/linux/gidMappings",
         R"([{"containerID":0,"hostID":100000,"size":65536}])"},
        {"--uidmap 0:1:9 --gidmap 0:5:9 sh", "/linux/gidMappings/0/hostID", "5"},
        {"--time-offset monotonic=5,boottime=-7 sh",
         "/linux/timeOffsets",
         R"({"monotonic":{"secs":5},"boottime":{"secs":-7}})"},
        {"--time-offset boottime=1 sh", "/linux/namespaces/6", R"({"type":"time"})"},
    });
}

TEST(CliRequest, Privileges) {
    const json standard = plan::default_capabilities();
    auto all = plan::all_capabilities(40);
    std::erase(all, "CAP_SYS_RESOURCE");
    const auto caps = [](const char* line) { return config_of(line)["process"]["capabilities"]; };
    EXPECT_EQ(caps("sh")["bounding"], standard);
    EXPECT_EQ(caps("sh")["effective"], standard);
    EXPECT_FALSE(caps("sh").contains("inheritable") && !caps("sh")["inheritable"].empty());
    EXPECT_EQ(caps("--privileged sh")["bounding"].size(), all.size());
    EXPECT_EQ(caps("--cap-add ALL sh")["bounding"].size(), all.size());
    EXPECT_EQ(caps("--cap-add all --cap-drop chown sh")["bounding"].size(), all.size() - 1);
    EXPECT_EQ(caps("--cap-drop ALL --cap-add net_admin,CAP_CHOWN sh")["permitted"],
              json::parse(R"(["CAP_NET_ADMIN","CAP_CHOWN"])"));
    EXPECT_EQ(caps("--cap-add sys_time sh")["bounding"].size(), standard.size() + 1);
    EXPECT_EQ(caps("-u web --cap-add net_raw sh")["ambient"], json::parse(R"(["CAP_NET_RAW"])"));
    EXPECT_TRUE(caps("-u web sh").value("effective", json::array()).empty());
}

TEST(CliRequest, Seccomp) {
    const struct {
        const char* line;
        bool prepared;
        bool own;
    } cases[] = {
        {"sh", true, false},
        {"--cap-add sys_admin sh", false, true},
        {"--privileged sh", false, false},
        {"--security-opt seccomp=unconfined sh", false, false},
        {"--security-opt seccomp=/p.json sh", false, true},
        {"--privileged --security-opt seccomp=/p.json sh", false, true},
    };

    for (const auto& each : cases) {
        const auto request = request_of(each.line);
        EXPECT_EQ(request.default_seccomp, each.prepared) << each.line;
        EXPECT_EQ(request.spec.linux.seccomp.has_value(), each.own) << each.line;
    }
}

TEST(CliRequest, MasksAndSysctls) {
    const auto masked = [](const char* line, const char* path) {
        return std::ranges::contains(request_of(line).spec.linux.masked_paths, path);
    };
    EXPECT_TRUE(masked("sh", "/proc/interrupts"));
    EXPECT_TRUE(masked("sh", "/sys/devices/virtual/powercap"));
    EXPECT_FALSE(masked("--privileged sh", "/proc/kcore"));
    EXPECT_FALSE(masked("--security-opt unmask=/proc/* sh", "/proc/kcore"));
    EXPECT_TRUE(masked("--security-opt unmask=/proc/* sh", "/sys/firmware"));
    EXPECT_TRUE(masked("--security-opt mask=/a:/b sh", "/b"));
    expect({
        {"--security-opt unmask=ALL sh", "/linux/maskedPaths", "absent"},
        {"--security-opt unmask=ALL sh", "/linux/readonlyPaths", "absent"},
        {"--sysctl net.ipv4.ip_forward=1 sh", "/linux/sysctl", R"({"net.ipv4.ip_forward":"1"})"},
    });
}

TEST(CliRequest, Devices) {
    const auto rules = [](const char* line) {
        return config_of(line)["linux"]["resources"]["devices"];
    };
    EXPECT_EQ(rules("sh")[0], json::parse(R"({"allow":false,"access":"rwm"})"));
    EXPECT_EQ(rules("sh")[3],
              json::parse(R"({"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"})"));
    EXPECT_EQ(rules("--privileged sh"), json::parse(R"([{"allow":true,"access":"rwm"}])"));
    EXPECT_EQ(rules("--device /dev/fuse:r sh").back(),
              json::parse(R"({"allow":true,"type":"c","major":10,"minor":229,"access":"r"})"));
    const std::array<std::pair<const char*, const char*>, 4> added_rules = {{
        {"c 10:229 rw", R"({"allow":true,"type":"c","major":10,"minor":229,"access":"rw"})"},
        {"b 8:* r", R"({"allow":true,"type":"b","major":8,"access":"r"})"},
        {"c *:* rwm", R"({"allow":true,"type":"c","access":"rwm"})"},
        {"a *:* rwm", R"({"allow":true,"type":"a","access":"rwm"})"},
    }};
    for (const auto& [text, rule] : added_rules) {
        const auto request = build_request(
            parse_run_flags({"--rootfs=/r", "--device-cgroup-rule", text, "sh"}), facts());
        EXPECT_EQ(json::parse(oci::serialize(request.spec))["linux"]["resources"]["devices"].back(),
                  json::parse(rule))
            << text;
    }
    expect({
        {"sh", "/linux/devices", "absent"},
        {"--device /dev/sda:/dev/xvda:rw sh", "/linux/devices/0/path", R"("/dev/xvda")"},
        {"--device /dev/sda sh", "/linux/devices/0/fileMode", "432"},
        {"--device /dev/snd sh", "/linux/devices/0/path", R"("/dev/snd/seq")"},
        {"--device /dev/snd:/s sh", "/linux/devices/0/path", R"("/s/seq")"},
        {"--privileged sh", "/linux/devices/0/path", R"("/dev/kvm")"},
    });
}

TEST(CliRequest, DeviceRulesRefused) {
    const std::array<std::pair<const char*, const char*>, 9> cases = {{
        {"", "'c 1:3 rwm'"},
        {"c 1:3", "'c 1:3 rwm'"},
        {"d 1:3 r", "'c 1:3 rwm'"},
        {"c 1:3 rwx", "'c 1:3 rwm'"},
        {"c 1 r", "not MAJOR:MINOR"},
        {"c 1:-3 r", "not MAJOR:MINOR"},
        {"c 1:4294967296 r", "not MAJOR:MINOR"},
        {"c *:3 r", "any major"},
        {"a 1:3 r", "'a *:* rwm'"},
    }};
    for (const auto& [text, why] : cases) {
        try {
            build_request(parse_run_flags({"--rootfs=/r", "--device-cgroup-rule", text, "sh"}),
                          facts());
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), AllOf(HasSubstr("--device-cgroup-rule"), HasSubstr(why)));
        }
    }
    RootfsFacts plain = facts();
    plain.own_uids = {{.container_id = 0, .host_id = 1000, .size = 1}};
    plain.own_gids = plain.own_uids;
    try {
        build_request(parse_run_flags({"--rootfs=/r", "--device-cgroup-rule", "c 1:3 r", "sh"}),
                      plain);
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("a plain user's systemd has no say in devices"));
    }
}

TEST(CliRequest, StandardMounts) {
    const json config = config_of("sh");
    std::vector<std::string> order;
    for (const json& mount : config["mounts"]) {
        order.push_back(mount["destination"]);
    }
    EXPECT_EQ(join(order, " "), "/proc /dev /sys /dev/pts /dev/shm /dev/mqueue /sys/fs/cgroup");
    EXPECT_EQ((*mount_at(config, "/dev/pts"))["options"],
              json::parse(R"(["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620",
                              "gid=5"])"));
    EXPECT_EQ((*mount_at(config, "/sys"))["options"],
              json::parse(R"(["nosuid","noexec","nodev","ro"])"));
}

TEST(CliRequest, MountsFollowTheOtherFlags) {
    const struct {
        const char* line;
        const char* destination;
        const char* expected; ///< part of the mount
    } cases[] = {
        {"--privileged sh", "/sys", R"("rw")"},
        {"--privileged sh", "/sys/fs/cgroup", R"("rw")"},
        {"--shm-size 1m sh", "/dev/shm", R"("size=1048576")"},
        {"--ipc host sh", "/dev/shm", R"("source":"/dev/shm")"},
        {"--ipc container:db sh", "/dev/shm", R"("source":"/proc/42/root/dev/shm")"},
        {"--ipc container:db -v /a:/dev/shm sh", "/dev/shm", R"("source":"/a")"},
        {"--ipc ns:/x sh", "/dev/shm", R"("type":"tmpfs")"},
        {"--uidmap 0:1:9 --network host sh", "/sys", R"("source":"/sys")"},
        {"--network host sh", "/sys", R"("type":"sysfs")"},
        {"--uidmap 0:1:9 --pid host sh", "/proc", R"("source":"/proc")"},
        {"--uidmap 0:1:9 --ipc host sh", "/dev/mqueue", R"("source":"/dev/mqueue")"},
        {"-v /a:/b sh", "/b", R"("options":["rbind","rprivate"])"},
        {"-v ./a:/b:ro,noexec sh", "/b", R"("source":"/here/a")"},
        {"-v /a:/b:ro,rw,rro sh", "/b", R"("options":["rbind","rprivate","rro"])"},
        {"-v /a:/b:bind,rslave,z sh", "/b", R"("options":["bind","rslave"])"},
        {"-v /a:/b:rshared,ridmap,idmap sh", "/b", R"("options":["rbind","rshared","idmap"])"},
        {"-v /a:/b:idmap=uids=0-1-2;gids=@0-1-2 sh", "/b", R"("idmap=uids=0-1-2;gids=@0-1-2")"},
        {"-v /a:/dev/shm sh", "/dev/shm", R"("source":"/a")"},
        {"--mount type=bind,src=/a,dst=/b,readonly sh", "/b", R"("ro"])"},
        {"--mount type=bind,source=a/c,target=/b,ro=false sh", "/b", R"("source":"/here/a/c")"},
        {"--mount type=bind,src=/a,dst=/b,bind-propagation=rshared sh", "/b", R"("rshared")"},
        {"--mount type=bind,src=/a,dst=/b,bind-nonrecursive sh", "/b", R"("bind")"},
        {"--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0700 sh",
         "/t",
         R"(["noexec","nosuid","nodev","rw","size=1m","mode=0700"])"},
        {"--mount type=devpts,destination=/p,uid=5 sh", "/p", R"("uid=5")"},
        {"--tmpfs /t sh", "/t", R"(["noexec","nosuid","nodev","rw"])"},
        {"--tmpfs /t:tmpcopyup sh", "/t", R"(["noexec","nosuid","nodev","rw","tmpcopyup"])"},
        {"--mount type=bind,src=/a,dst=/b,ridmap sh", "/b", R"("ridmap")"},
        {"--tmpfs /t:exec,size=50% sh", "/t", R"(["nosuid","nodev","rw","exec","size=50%"])"},
    };

    for (const auto& each : cases) {
        const json config = config_of(each.line);
        const json* mount = mount_at(config, each.destination);
        ASSERT_NE(mount, nullptr) << each.line;
        EXPECT_THAT(mount->dump(), HasSubstr(each.expected)) << each.line;
    }
    EXPECT_EQ(mount_at(config_of("-v /dev:/dev sh"), "/dev/pts"), nullptr);
}

TEST(CliRequest, AParentIsMountedBeforeItsChildren) {
    const json config = config_of("-v /a:/x/y/z -v /b:/x --tmpfs /x/y sh");
    std::vector<std::string> order;
    for (const json& mount : config["mounts"]) {
        order.push_back(mount["destination"]);
    }
    EXPECT_LT(std::ranges::find(order, "/x"), std::ranges::find(order, "/x/y"));
    EXPECT_LT(std::ranges::find(order, "/x/y"), std::ranges::find(order, "/x/y/z"));
}

TEST(CliRequest, WhatOciHasNoWordFor) {
    const auto request = request_of("--name n --slice a-b --stop-signal int --stop-timeout 3 "
                                    "--log journal --no-pivot -p CPUWeight=7 sh -c x");
    EXPECT_EQ(request.id, "n");
    EXPECT_EQ(request.slice, "a-b.slice");
    EXPECT_EQ(request.stop_signal, 2);
    EXPECT_EQ(request.stop_timeout, std::chrono::seconds(3));
    EXPECT_EQ(request.log, plan::LogTarget::journal);
    EXPECT_TRUE(request.no_pivot);
    ASSERT_EQ(request.extra_properties.size(), 1U);
    EXPECT_EQ(request.extra_properties[0].name, "CPUWeight");
    EXPECT_EQ(request.description, "/r: sh -c x");
}

TEST(CliRequest, OutputGoesWhereItIsSaid) {
    const struct {
        const char* line;
        plan::LogTarget expected;
    } cases[] = {
        {"sh", plan::LogTarget::caller},
        {"-d sh", plan::LogTarget::journal},
        {"--log caller sh", plan::LogTarget::caller},
        {"-d --log caller sh", plan::LogTarget::caller},
        {"--log-driver journald sh", plan::LogTarget::journal},
        {"--log-driver=journal sh", plan::LogTarget::journal},
        {"-d --log-driver passthrough sh", plan::LogTarget::caller},
        {"-t --log-driver passthrough-tty sh", plan::LogTarget::caller},
        {"--log-driver none sh", plan::LogTarget::caller},
        {"-d --log-driver none sh", plan::LogTarget::none},
        {"--log journal --log-driver none sh", plan::LogTarget::caller}, // the last counts
    };

    for (const auto& each : cases) {
        EXPECT_EQ(request_of(each.line).log, each.expected) << each.line;
    }
}

TEST(CliRequest, AReadOnlyRootHasPlacesForWhatIsTemporary) {
    const auto places = [](const std::string& line) {
        std::vector<std::string> found;
        for (const oci::Mount& mount : request_of(line).spec.mounts) {
            const bool is_asked_for = mount.destination == "/run" || mount.destination == "/tmp" ||
                                      mount.destination == "/var/tmp";
            if (is_asked_for) {
                found.push_back(mount.destination + " " + mount.type + " " +
                                join(mount.options, ","));
            }
        }
        return found;
    };
    const std::string run = "/run tmpfs nosuid,nodev,rw,tmpcopyup,exec";
    const std::string tmp = "/tmp tmpfs nosuid,nodev,rw,tmpcopyup,exec";
    const std::string var_tmp = "/var/tmp tmpfs nosuid,nodev,rw,tmpcopyup,exec";

    using testing::UnorderedElementsAre;
    EXPECT_THAT(places("--read-only sh"), testing::IsEmpty());
    EXPECT_THAT(places("--read-only-tmpfs sh"), testing::IsEmpty());
    EXPECT_THAT(places("--read-only --read-only-tmpfs=false sh"), testing::IsEmpty());
    EXPECT_THAT(places("--read-only --read-only-tmpfs sh"),
                UnorderedElementsAre(run, tmp, var_tmp));
    EXPECT_THAT(places("--read-only --read-only-tmpfs --tmpfs /tmp -v /a:/run sh"),
                UnorderedElementsAre(
                    "/run bind rbind,rprivate", "/tmp tmpfs noexec,nosuid,nodev,rw", var_tmp));
}

TEST(CliRequest, WhatOnlySystemdOffers) {
    const struct {
        const char* line;
        const char* property; ///< as --property would have it
    } cases[] = {
        {"--ip-allow 10.0.0.0/8 sh", "IPAddressAllow=10.0.0.0/8"},
        {"--ip-deny any sh", "IPAddressDeny=any"},
        {"--socket-bind-allow tcp:80 sh", "SocketBindAllow=tcp:80"},
        {"--socket-bind-deny any sh", "SocketBindDeny=any"},
        {"--restrict-interfaces lo,eth0 sh", "RestrictNetworkInterfaces=lo eth0"},
        {"--restrict-interfaces ~lo sh", "RestrictNetworkInterfaces=~lo"},
        {"--runtime-max 90s sh", "RuntimeMaxSec=90s"},
        {"--oom-policy kill sh", "OOMPolicy=kill"},
        {"--managed-oom-swap kill sh", "ManagedOOMSwap=kill"},
        {"--managed-oom-memory-pressure kill sh", "ManagedOOMMemoryPressure=kill"},
        {"--managed-oom-memory-pressure-limit 60% sh", "ManagedOOMMemoryPressureLimit=60%"},
        {"--managed-oom-preference avoid sh", "ManagedOOMPreference=avoid"},
    };

    for (const auto& each : cases) {
        const auto request = request_of(each.line);
        ASSERT_EQ(request.extra_properties.size(), 1U) << each.line;
        EXPECT_EQ(request.extra_properties[0], plan::parse_property(each.property)) << each.line;
    }
    expect({
        {"--memory-high 32m sh", "/linux/resources/unified", R"({"memory.high":"33554432"})"},
        {"--memory-high -1 sh", "/linux/resources/unified", R"({"memory.high":"max"})"},
        {"--memory-zswap-max 0 sh", "/linux/resources/unified", R"({"memory.zswap.max":"0"})"},
    });
}

TEST(CliRequest, ListsOfPropertiesAddUp) {
    using Names = std::vector<std::string>;

    const struct {
        const char* line;
        const char* property;
        plan::PropertyValue expected;
    } cases[] = {
        {"-p After=a.service -p After=b.service sh", "After", Names{"a.service", "b.service"}},
        {"-p After=a.service -p Documentation= sh", "After", Names{"a.service"}},
        {"-p CPUWeight=7 -p CPUWeight=8 sh", "CPUWeight", std::uint64_t{8}},
        {"-p KillSignal=INT sh", "KillSignal", std::int32_t{2}}, // instead of what is planned
        {"--restrict-interfaces a -p RestrictNetworkInterfaces=b sh",
         "RestrictNetworkInterfaces",
         plan::InterfaceList{.names = {"a", "b"}}},
        {"--restrict-interfaces a -p RestrictNetworkInterfaces=~b sh",
         "RestrictNetworkInterfaces",
         plan::InterfaceList{.is_allow_list = false, .names = {"b"}}},
        {"--socket-bind-deny 1,2 --socket-bind-deny 3 sh",
         "SocketBindDeny",
         std::vector<plan::SocketBindRule>{{.port_count = 1, .first_port = 1},
                                           {.port_count = 1, .first_port = 2},
                                           {.port_count = 1, .first_port = 3}}},
        {"--ip-deny any -p IPAddressDeny= sh", "IPAddressDeny", std::vector<plan::AddressPrefix>{}},
    };

    for (const auto& each : cases) {
        const plan::UnitPlan unit =
            plan::make(request_of(each.line), host::Facts{.is_root = true, .controllers = {"cpu"}})
                .unit;
        const auto found =
            std::ranges::find(unit.properties, each.property, &plan::UnitProperty::name);
        ASSERT_NE(found, unit.properties.end()) << each.line;
        EXPECT_TRUE(found->value == each.expected) << each.line;
    }
}

TEST(CliRequest, DescriptionIsOneShortLine) {
    RunFlags flags;
    flags.command = {"sh\n\x1b[1m", std::string(198, 'a') + "\u00e9\u00e9"};
    const auto text = build_request(flags, facts()).description;
    EXPECT_EQ(text, "/r: sh[1m " + std::string(190, 'a'));
    flags.command = {"a" + std::string(194, 'b') + "\u00e9"}; // the é would be cut in half
    EXPECT_EQ(build_request(flags, facts()).description.back(), 'b');
}

TEST(CliRequest, SaysWhatIsWrong) {
    const struct {
        const char* line;
        const char* flag;
        const char* why;
    } cases[] = {
        {"", "no command to run", "no default command"},
        {"--nmae x sh", "'--nmae'", "did you mean '--name'?"},
        {"--name", "--name", "see 'sctr run --help'"},
        {"--name a/b sh", "a/b", ""},
        {"--hostname a_b! sh", "--hostname", "1 to 64"},
        {"--uts host --hostname h sh", "--hostname", "drop --uts"},
        {"-e =x sh", "-e", "'=x'"},
        {"-w rel sh", "-w", "not absolute"},
        {"-u nobody sh", "no user 'nobody'", "/etc/passwd"},
        {"-u web:nogroup sh", "no group 'nogroup'", "/etc/group"},
        {"-u 1: sh", "-u", "NAME or UID"},
        {"-u 4294967295 sh", "-u", "4294967294"},
        {"-u 1:2:3 sh", "-u", "NAME or UID"},
        {"--uidmap 0:1:10 -u 10 sh", "user 10", "--uidmap"},
        {"--stop-signal FOO sh", "--stop-signal", "'FOO'"},
        {"--stop-timeout -1 sh", "--stop-timeout", "from 0 to"},
        {"--log file sh", "--log", "caller, journal or none"},
        {"--log-driver k8s-file sh", "--log-driver", "'sctr logs' reads"},
        {"--log-driver json-file sh", "--log-driver", "'sctr logs' reads"},
        {"--log-driver syslog sh", "--log-driver", "caller, journal or none"},
        {"-t --log journal sh", "--log journal", "-t"},
        {"-m 5m sh", "-m", "6m or more"},
        {"-m much sh", "-m", "'much'"},
        {"--memory-swap 1g sh", "--memory-swap", "needs --memory"},
        {"-m 1g --memory-swap 512m sh", "--memory-swap", "below -m 1g"},
        {"-m 1g --memory-reservation 2g sh", "--memory-reservation", "above -m 1g"},
        {"--cpus 0 sh", "--cpus", "0.01 to 8192"},
        {"--cpus nan sh", "--cpus", "0.01 to 8192"},
        {"--cpus 2x sh", "--cpus", "not a number"},
        {"--cpus 1 --cpu-quota 5000 sh", "--cpu-quota", "give one"},
        {"--cpu-period 5000 sh", "--cpu-period", "needs --cpu-quota"},
        {"--cpu-quota 5 sh", "--cpu-quota", "1000 microseconds"},
        {"--cpu-quota 5000 --cpu-period 5 sh", "--cpu-period", "from 1000 to 1000000"},
        {"--umask 0999 sh", "--umask", "octal"},
        {"--umask 1777 sh", "--umask", "octal"},
        {"--group-add nobodys sh", "--group-add", "no group 'nobodys'"},
        {"--group-add= sh", "--group-add", "NAME or GID"},
        {"--uidmap 0:1:10 --group-add 10 sh", "group 10", "map of group ids"},
        {"--label =x sh", "--label", "NAME=VALUE"},
        {"--annotation x sh", "--annotation", "NAME=VALUE"},
        {"--annotation io.sctr.image=x sh", "--annotation", "another name"},
        {"--annotation org.systemd.property.TasksMax=1 sh", "--annotation", "--property"},
        {"--cpu-weight 0 sh", "--cpu-weight", "from 1 to 10000"},
        {"--cpu-weight 1 --cpu-shares 2 sh", "--cpu-shares", "give one"},
        {"--cpu-shares 1 sh", "--cpu-shares", "from 2 to 262144"},
        {"--cpuset-cpus 3-1 sh", "--cpuset-cpus", "0-3,7"},
        {"--pids-limit -2 sh", "--pids-limit", "from -1"},
        {"--io-weight 10001 sh", "--io-weight", "from 1 to 10000"},
        {"--device-read-bps /dev/sda sh", "--device-read-bps", "DEVICE:RATE"},
        {"--device-read-bps /dev/sda:0 sh", "--device-read-bps", "bytes a second"},
        {"--device-read-iops /dev/sda:1k sh", "--device-read-iops", "operations a second"},
        {"--device-write-bps /dev/fuse:1 sh", "--device-write-bps", "not a block device"},
        {"--oom-score-adj 1001 sh", "--oom-score-adj", "from -1000 to 1000"},
        {"--slice a--b sh", "--slice", "slice unit"},
        {"-p NoSuch=1 sh", "NoSuch", ""},
        {"--ip-deny 10.0.0.0/33 sh", "--ip-deny", "localhost"},
        {"--socket-bind-allow http sh", "--socket-bind-allow", "ipv4:tcp:8000-8010"},
        {"--runtime-max soon sh", "--runtime-max", "'soon'"},
        {"--oom-policy panic sh", "--oom-policy", "continue, stop, kill"},
        {"--memory-high 5m sh", "--memory-high", "6m or more"},
        {"--memory-zswap-max much sh", "--memory-zswap-max", "0 for none"},
        {"--ulimit files=1 sh", "--ulimit", "nofile"},
        {"--ulimit nofile=2:1 sh", "--ulimit", "soft is above hard"},
        {"--ulimit nofile sh", "--ulimit", "no value"},
        {"--network macvlan sh", "--network macvlan", "--parent"},
        {"--pid container: sh", "--pid", "container:NAME"},
        {"--pid container:gone sh", "'gone'", "sctr ps"},
        {"--userns auto sh", "--userns auto", "subordinate"},
        {"--userns keep-id sh", "--userns", "only a plain user"},
        {"--userns nomap sh", "--userns", "keep-id"},
        {"--userns host --uidmap 0:1:1 sh", "--userns host", "drop --userns"},
        {"--uidmap 0:1 sh", "--uidmap", "CONTAINER:HOST:SIZE"},
        {"--uidmap 0:1:0 sh", "--uidmap", "from 1"},
        {"--uidmap 0:4294967290:9 sh", "--uidmap", "last id"},
        {"--uidmap 0:1:9 --uidmap 9:8:5 sh", "--uidmap", "overlaps"},
        {"--time-offset realtime=1 sh", "--time-offset", "monotonic=SECONDS"},
        {"-v x sh", "-v", "not absolute"},
        {"-v da/ta:/x:copy sh", "-v", "unknown option 'copy'"},
        {"-v da%ta:/x sh", "-v da%ta:/x", "invalid volume name"},
        {"-v _data:/x sh", "-v _data:/x", "a letter or digit first"},
        {"-v /a:/b:cached sh", "-v", "unknown option 'cached'"},
        {"-v /etc/:/b:U sh", "-v /etc", "the host's own"},
        {"-v /a:b sh", "-v", "not absolute"},
        {"-v /a:/.. sh", "-v", "root itself"},
        {"-v /a:/b --tmpfs /b/ sh", "two mounts", "/b"},
        {"--mount src=/a,dst=/b sh", "--mount", "type=bind"},
        {"--mount type=image,dst=/b sh", "--mount", "src=IMAGE"},
        {"--mount type=volume,src=a/b,dst=/b sh", "--mount", "invalid volume name"},
        {"--mount type=tmpfs,dst=/b,U sh", "--mount", "unknown key"},
        {"--mount type=bind,dst=/b sh", "--mount", "no source"},
        {"--mount type=tmpfs,src=/a,dst=/b sh", "--mount", "means nothing"},
        {"--mount type=bind,src=/a sh", "--mount", "dst=PATH"},
        {"--mount type=bind,src=/a,dst=/b,size=1 sh", "--mount", "unknown key 'size'"},
        {"--mount type=tmpfs,dst=/b,tmpfs-size=x sh", "--mount", "'x' is not a size"},
        {"--tmpfs /t:foo sh", "--tmpfs", "unknown option 'foo'"},
        {"--tmpfs /t:mode=9 sh", "--tmpfs", "octal"},
        {"--shm-size 0 sh", "--shm-size", "64m"},
        {"--ipc container:db --shm-size 1m sh", "--shm-size", "container 'db'"},
        {"--mount type=bind,src=/a,dst=/b,relabel=x sh", "--mount", "relabel=shared"},
        {"--device /dev/none sh", "--device", "not a device"},
        {"--device /dev/fuse:x sh", "--device", "'x'"},
        {"--cap-add flying sh", "--cap-add", "'flying'"},
        {"--cap-add sys_resource sh", "--cap-add", "'CAP_SYS_RESOURCE'"},
        {"--cap-add chown --cap-drop chown sh", "CAP_CHOWN", "both added and dropped"},
        {"--cap-add ALL --cap-drop ALL sh", "--cap-add ALL", "contradict"},
        {"--security-opt foo=1 sh", "--security-opt", "unknown option 'foo'"},
        {"--security-opt label=x sh", "--security-opt", "unknown label"},
        {"--security-opt mask=rel sh", "--security-opt", "not absolute"},
        {"--sysctl kernel.pid_max=1 sh", "kernel.pid_max", "host"},
        {"--sysctl net.x sh", "--sysctl", "NAME=VALUE"},
        {"--network host --sysctl net.ipv4.ip_forward=1 sh", "net.ipv4.ip_forward", "network"},
    };

    for (const auto& each : cases) {
        try {
            request_of(each.line);
            ADD_FAILURE() << each.line << ": no error";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), AllOf(HasSubstr(each.flag), HasSubstr(each.why)))
                << each.line;
        }
    }
}

TEST(CliRequest, RefusesSeccompProfilesThatItWouldLoosen) {
    RootfsFacts world = facts();
    for (const char* text : {R"({"defaultAction":"SCMP_ACT_DENY"})",
                             R"({"syscalls":[{"includes":{"caps":["CAP_BPF"]}}]})",
                             "not json"}) {
        world.seccomp_profile = text;
        EXPECT_THROW(request_of("--security-opt seccomp=/p sh", world), Error) << text;
    }
}

TEST(CliRequest, ResolvesTheSeccompFileForTheContainer) {
    RootfsFacts world = facts();
    world.kernel_release = "6.1.0-31-amd64";
    world.seccomp_profile = R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.1"}},
        {"names": ["acct"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.2"}}]})";

    const struct {
        const char* flags;
        std::vector<std::string> allowed;
    } cases[] = {
        {"", {"ptrace"}},
        {"--cap-add BPF ", {"bpf", "ptrace"}},
        {"--cap-add BPF -u 1000 ", {"bpf", "ptrace"}},
        {"--privileged ", {"bpf", "ptrace"}},
        {"--cap-add ALL --cap-drop BPF ", {"ptrace"}},
    };

    for (const auto& each : cases) {
        const auto request =
            request_of(each.flags + std::string("--security-opt seccomp=/p sh"), world);
        std::vector<std::string> allowed;
        for (const auto& rule : request.spec.linux.seccomp->syscalls) {
            std::ranges::copy(rule.names, std::back_inserter(allowed));
        }
        EXPECT_EQ(allowed, each.allowed) << each.flags;
    }
}

TEST(CliRequest, SelinuxOnlyWhereItIs) {
    RootfsFacts world = facts();
    constexpr const char* line = "--security-opt label=type:t_t sh";
    EXPECT_EQ(request_of(line, world).spec.process->selinux_label, "");
    world.has_selinux = true;
    EXPECT_EQ(request_of(line, world).spec.process->selinux_label, "system_u:system_r:t_t:s0");
}

TEST(CliRequest, RelabelsVolumesWhereThereIsSelinux) {
    const struct {
        const char* line;
        const char* relabels;
    } cases[] = {
        {"-v /a:/b sh", ""},
        {"-v /a:/b:z sh", "/a=system_u:object_r:container_file_t:s0;"},
        {"-v ./a:/b:ro,z,rslave sh", "/here/a=system_u:object_r:container_file_t:s0;"},
        {"-v /a:/b:Z --security-opt label=level:s0:c1,c2 sh",
         "/a=system_u:object_r:container_file_t:s0:c1,c2;"},
        {"-v /a:/b:z,Z --security-opt label=level:s0:c1,c2 sh",
         "/a=system_u:object_r:container_file_t:s0:c1,c2;"},
        {"--mount type=bind,src=/a,dst=/b,relabel=shared sh",
         "/a=system_u:object_r:container_file_t:s0;"},
        {"--mount type=bind,src=/a,dst=/b,relabel=private --security-opt label=level:s0:c3 sh",
         "/a=system_u:object_r:container_file_t:s0:c3;"},
    };

    RootfsFacts world = facts();
    for (const auto& each : cases) {
        world.has_selinux = true;
        std::string relabels;
        for (const plan::Relabel& relabel : request_of(each.line, world).relabels) {
            relabels += relabel.path + "=" + relabel.label + ";";
        }
        EXPECT_EQ(relabels, each.relabels) << each.line;
        world.has_selinux = false;
        EXPECT_TRUE(request_of(each.line, world).relabels.empty()) << each.line;
    }
    world.has_selinux = true;
    for (const char* line :
         {"-v /a:/b:Z sh", "--mount type=bind,src=/a,dst=/b,relabel=private sh"}) {
        EXPECT_THROW(request_of(line, world), Error) << line;
    }
}

// Images -----------------------------------------------------------------------------------------

RootfsFacts image_facts() {
    RootfsFacts world = facts();
    world.image = "docker.io/library/web:latest";
    world.overlay = {.lower = {"/layer"}, .upper = "/upper", .work = "/work"};
    world.image_process = {.user = "web",
                           .env = {"PATH=/opt/bin", "COLOUR=green"},
                           .entrypoint = {"/bin/httpd", "-f"},
                           .cmd = {"/etc/httpd.conf"},
                           .working_dir = "/srv",
                           .labels = {{"org.systemd.property.CPUWeight", "10000"}},
                           .stop_signal = "SIGWINCH"};
    return world;
}

TEST(Image, SaysWhatTheCallerDoesNot) {
    const plan::Request request = request_of("web", image_facts());
    const oci::Process& process = *request.spec.process;
    EXPECT_EQ(join(process.args, " "), "/bin/httpd -f /etc/httpd.conf");
    EXPECT_THAT(process.env, testing::IsSupersetOf({"PATH=/opt/bin", "COLOUR=green"}));
    EXPECT_EQ(process.user.uid, 33U);
    EXPECT_EQ(process.cwd, "/srv");
    EXPECT_EQ(request.stop_signal, 28);
    EXPECT_EQ(request.image, "docker.io/library/web:latest");
    EXPECT_THAT(request.description,
                testing::StartsWith("docker.io/library/web:latest: /bin/httpd"));
    EXPECT_EQ(request.overlay.upper, "/upper");
}

TEST(Image, IsOverruledByTheCaller) {
    const plan::Request request =
        request_of("-u 0 -w /tmp -e COLOUR=red --stop-signal INT web other.conf", image_facts());
    const oci::Process& process = *request.spec.process;
    EXPECT_EQ(join(process.args, " "), "/bin/httpd -f other.conf");
    EXPECT_THAT(process.env, testing::Contains("COLOUR=red"));
    EXPECT_EQ(process.user.uid, 0U);
    EXPECT_EQ(process.cwd, "/tmp");
    EXPECT_EQ(request.stop_signal, 2);
}

TEST(Image, ItsCommandGoesWithItsEntrypoint) {
    EXPECT_EQ(request_of("--entrypoint sh web", image_facts()).spec.process->args,
              std::vector<std::string>{"sh"});
    EXPECT_EQ(join(request_of("--entrypoint= web a b", image_facts()).spec.process->args, " "),
              "a b");
}

TEST(Image, ItsLabelsAreNoAnnotationsThatMeanSomething) {
    const auto& annotations = request_of("web", image_facts()).spec.annotations;
    EXPECT_FALSE(annotations.contains("org.systemd.property.CPUWeight"));
    EXPECT_EQ(annotations.at("io.sctr.label/org.systemd.property.CPUWeight"), "10000");
}

TEST(Image, ItsLabelsAndTheCallers) {
    RootfsFacts world = image_facts();
    world.image_process.labels = {{"a", "image"}, {"b", "image"}};
    const plan::Request request = request_of("-l b=mine --label c --annotation a=note web", world);
    EXPECT_EQ(labels_of(request.spec.annotations),
              (std::map<std::string, std::string>{{"a", "image"}, {"b", "mine"}, {"c", ""}}));
    EXPECT_EQ(request.spec.annotations.at("a"), "note");
}

TEST(Volumes, BecomeBindMountsOfTheirContent) {
    const struct {
        const char* line;
        const char* volumes; ///< NAME>DESTINATION, "!" for nocopy; anonymous ones are *
        const char* sources; ///< of the mounts, in their order
    } cases[] = {
        {"-v data:/b web", "data>/b;*>/image;", "/volumes/data/data;*;"},
        {"-v data:/b:nocopy,ro web", "data!>/b;*>/image;", "/volumes/data/data;*;"},
        {"-v /image web", "*>/image;", "*;"},
        {"-v /a:/image web", "", "/a;"},
        {"--tmpfs /image web", "", "tmpfs;"},
        {"-v ./a:/image web", "", "/here/a;"},
        {"--mount type=volume,src=data,dst=/image,volume-nocopy web",
         "data!>/image;",
         "/volumes/data/data;"},
        {"--mount type=volume,dst=/image/ web", "*>/image;", "*;"},
    };

    RootfsFacts world = image_facts();
    world.working_directory = "/here";
    world.volumes = "/volumes";
    world.volume_owner = "me";
    world.image_process.volumes = {{"image/", {}}, {"/", {}}};
    for (const auto& each : cases) {
        const plan::Request request = request_of(each.line, world);
        const std::string anonymous = plan::anonymous_volume("me", "/image");
        std::string volumes;
        for (const plan::VolumeUse& use : request.volumes) {
            volumes += (use.name == anonymous ? "*" : use.name) + (use.copy_up ? ">" : "!>") +
                       use.destination + ";";
            EXPECT_EQ(use.owner, use.name == anonymous ? "me" : "") << each.line;
        }
        EXPECT_EQ(volumes, each.volumes) << each.line;
        std::string sources;
        for (const oci::Mount& mount : request.spec.mounts) {
            if (mount.destination == "/image" || mount.destination == "/b") {
                sources +=
                    (mount.source == plan::volume_data("/volumes", anonymous) ? "*"
                                                                              : mount.source) +
                    ";";
            }
        }
        EXPECT_EQ(sources, each.sources) << each.line;
        EXPECT_EQ(request.volume_owner, std::string(each.volumes).contains('*') ? "me" : "");
    }
}

TEST(Volumes, BelongToTheContainersUser) {
    RootfsFacts world = image_facts();
    const plan::Request request = request_of("-u 33:34 -v /a:/b:U,ro web", world);
    ASSERT_EQ(request.chowns.size(), 1U);
    EXPECT_EQ(request.chowns[0].path, "/a");
    EXPECT_EQ(request.chowns[0].uid, 33U);
    EXPECT_EQ(request.chowns[0].gid, 34U);
    const auto mapped =
        request_of("--uidmap 0:1000:50 -u 33:34 --mount type=bind,src=/a,dst=/b,U web", world);
    ASSERT_EQ(mapped.chowns.size(), 1U);
    EXPECT_EQ(mapped.chowns[0].uid, 1033U);
}

TEST(Volumes, OfOthersComeAfterTheCallersOwn) {
    RootfsFacts world = image_facts();
    world.volumes = "/volumes";
    world.volumes_from = {
        {.mount = {.destination = "/a", .type = "bind", .source = "/theirs"}},
        {.mount = {.destination = "/b", .type = "bind"}, .volume = VolumeSource{.name = "data"}}};
    const plan::Request request = request_of("-v /mine:/a web", world);
    std::string sources;
    for (const oci::Mount& mount : request.spec.mounts) {
        sources += mount.destination == "/a" || mount.destination == "/b" ? mount.source + ";" : "";
    }
    EXPECT_EQ(sources, "/mine;/volumes/data/data;");
    ASSERT_EQ(request.volumes.size(), 1U);
    EXPECT_EQ(request.volumes[0].owner, "");
}

TEST(Image, WithoutACommandIsAnError) {
    RootfsFacts world = image_facts();
    world.image_process = {};
    EXPECT_THROW(request_of("web", world), Error);
}

} // namespace
} // namespace sctr::cli
