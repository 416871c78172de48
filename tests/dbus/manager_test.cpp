// SPDX-License-Identifier: LGPL-2.1-or-later
// Connecting, and the calls that wait for their reply.
#include "fixture.hpp"
#include "systemd/bus.hpp"

#include <poll.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

// sdbus-c++ 2.1 loses the bus that it could not connect (LeakSanitizer asks for this by name).
extern "C" const char* __lsan_default_suppressions();

extern "C" const char* __lsan_default_suppressions() {
    return "leak:sd_bus_new";
}

namespace sctr::test {
namespace {

using systemd::Instance;
using systemd::Manager;

void expect_error(const std::optional<Error>& error, const std::string& part) {
    ASSERT_TRUE(error) << "no error; expected: " << part;
    EXPECT_NE(std::string(error->what()).find(part), std::string::npos) << error->what();
}

TEST(Connect, SaysThatThereIsNoBus) {
    PrivateBus bus;
    bus.kill(); // leaves the socket
    expect_error(error_of([] { Manager manager(Instance::system, hasty); }),
                 "no D-Bus system bus: " + bus.address());
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    expect_error(error_of([] { Manager manager(Instance::system, hasty); }),
                 "systemctl start dbus.socket");
    ::setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    expect_error(error_of([] { Manager manager(Instance::user, hasty); }),
                 "loginctl enable-linger");
}

TEST(Connect, SaysThatSystemdIsNotOnTheBus) {
    const PrivateBus bus;
    Manager manager(Instance::system, patient);
    expect_error(error_of([&] { (void)manager.version(); }), "systemd is not on this bus");
}

TEST(Connect, GivesUpWhenTheBusIsFull) {
    const PrivateBus bus("<limit name=\"max_connections_per_user\">1</limit>");
    FakeSystemd fake(bus.address(), do_job);
    const auto error = error_of([] { Manager manager(Instance::system, hasty); });
    expect_error(error, "cannot connect to the system bus");
    expect_error(error, "raise max_connections_per_user");
}

TEST(Connect, UserInstanceFollowsTheEnvironment) {
    const PrivateBus bus;
    ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
    ::setenv("DBUS_SESSION_BUS_ADDRESS", bus.address().c_str(), 1);
    FakeSystemd fake(bus.address(), do_job);
    Manager manager(Instance::user, patient);
    EXPECT_EQ(manager.version(), "257.13-fake");
    EXPECT_EQ(manager.features(), "+PAM -APPARMOR");
}

struct CallCase {
    const char* name;
    std::function<void(Manager&)> act;
    std::string call; ///< as the fake notes it
    /// What the act does when systemd knows no such unit.
    bool gone_is_fine = false;
};

class Call : public testing::TestWithParam<CallCase> {
  protected:
    PrivateBus bus_;
};

std::string method_of(const CallCase& param) {
    return param.call.substr(0, param.call.find(' '));
}

TEST_P(Call, Arrives) {
    FakeSystemd fake(bus_.address(), do_job);
    Manager manager(Instance::system, patient);
    GetParam().act(manager);
    EXPECT_EQ(fake.calls(), std::vector{GetParam().call});
}

TEST_P(Call, RefusalIsAnError) {
    FakeSystemd fake(bus_.address(), do_job);
    fake.refuse_method(method_of(GetParam()), "org.freedesktop.DBus.Error.AccessDenied");
    Manager manager(Instance::system, patient);
    const auto error = error_of([&] { GetParam().act(manager); });
    expect_error(error, "a.scope: permission denied by systemd");
    EXPECT_EQ(error->error_number(), EACCES);
}

TEST_P(Call, UnitThatIsGone) {
    FakeSystemd fake(bus_.address(), do_job);
    fake.refuse_method(method_of(GetParam()), "org.freedesktop.systemd1.NoSuchUnit");
    Manager manager(Instance::system, patient);
    EXPECT_EQ(error_of([&] { GetParam().act(manager); }).has_value(), !GetParam().gone_is_fine);
}

INSTANTIATE_TEST_SUITE_P(
    Cases,
    Call,
    testing::Values(
        CallCase{"kill",
                 [](Manager& manager) { manager.kill_unit("a.scope", "all", SIGKILL); },
                 "KillUnit a.scope all 9",
                 true},
        CallCase{"freeze",
                 [](Manager& manager) { manager.freeze_unit("a.scope"); },
                 "FreezeUnit a.scope"},
        CallCase{
            "thaw", [](Manager& manager) { manager.thaw_unit("a.scope"); }, "ThawUnit a.scope"},
        CallCase{"reset_failed",
                 [](Manager& manager) { manager.reset_failed("a.scope"); },
                 "ResetFailedUnit a.scope",
                 true},
        CallCase{"ref", [](Manager& manager) { manager.ref_unit("a.scope"); }, "RefUnit a.scope"},
        CallCase{
            "unref", [](Manager& manager) { manager.unref_unit("a.scope"); }, "UnrefUnit a.scope"},
        CallCase{"set_properties",
                 [](Manager& manager) {
                     manager.set_properties("a.scope",
                                            true,
                                            {{"MemoryMax", std::uint64_t{1}},
                                             {"DevicePolicy", std::string("strict")}});
                 },
                 "SetUnitProperties a.scope runtime MemoryMax:t DevicePolicy:s"},
        CallCase{"attach_processes",
                 [](Manager& manager) {
                     manager.attach_processes("a.scope", "/exec", std::array<pid_t, 2>{11, 12});
                 },
                 "AttachProcessesToUnit a.scope /exec 11 12"}),
    [](const auto& instance) { return instance.param.name; });

TEST(StopUnit, WaitsForTheJob) {
    struct Case {
        const char* result;
        bool fails;
    };

    for (const auto& [result, fails] : {Case{"done", false}, Case{"failed", true}}) {
        SCOPED_TRACE(result);
        const PrivateBus bus;
        FakeSystemd fake(bus.address(), do_job, [&](FakeSystemd& self, const std::string&) {
            self.job_removed("/org/freedesktop/systemd1/job/6", unit, "canceled");
            self.job_removed(FakeSystemd::job, unit, result);
        });
        Manager manager(Instance::system, patient);
        EXPECT_EQ(error_of([&] { EXPECT_TRUE(manager.stop_unit(unit)); }).has_value(), fails);
        EXPECT_EQ(fake.calls(), std::vector{std::string("StopUnit ") + unit + " replace"});
    }
}

TEST(StopUnit, HasADeadline) {
    const PrivateBus bus;
    FakeSystemd fake(bus.address(), do_job);
    Manager manager(Instance::system, hasty);
    const auto error = error_of([&] { manager.stop_unit(unit); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->error_number(), ETIMEDOUT);
}

TEST(StopUnit, UnitThatIsGone) {
    const PrivateBus bus;
    FakeSystemd fake(bus.address(), do_job);
    fake.refuse_method("StopUnit", "org.freedesktop.systemd1.NoSuchUnit");
    Manager manager(Instance::system, patient);
    EXPECT_FALSE(manager.stop_unit(unit));
}

TEST(UnitStatus, IsReadInOneCall) {
    const PrivateBus bus;
    FakeSystemd fake(bus.address(), do_job);
    fake.have_unit(unit, "failed", std::string("/sctr.slice/") + unit);
    fake.have_unit("gone.scope", "not-found", "");
    Manager manager(Instance::system, patient);

    EXPECT_FALSE(manager.unit_status("gone.scope"));
    const auto status = manager.unit_status(unit);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->load_state, "loaded");
    EXPECT_EQ(status->active_state, "failed");
    EXPECT_EQ(status->sub_state, "running");
    EXPECT_EQ(status->result, "oom-kill");
    EXPECT_EQ(status->control_group, std::string("/sctr.slice/") + unit);
    EXPECT_EQ(status->freezer_state, "running");
    EXPECT_EQ(status->invocation_id, "01fe20");
    const std::map<std::string, std::uint64_t, std::less<>> limits{
        {"MemoryMax", std::uint64_t{1} << 30},
        {"MemorySwapMax", ~std::uint64_t{0}},
        {"IOWeight", 50}, // CPUWeight is not set
        {"TasksMax", 9},
        {"CPUQuotaPerSecUSec", 1'500'000}};
    EXPECT_EQ(status->limits, limits);
    EXPECT_EQ(status->allowed_cpus, "0-3,7-8,15");
}

TEST(PollLoop, TheCallersOwnLoopStartsAScope) {
    const PrivateBus bus;
    FakeSystemd fake(bus.address(), do_job);
    const UniqueFd pidfd = own_pidfd();
    Manager manager(Instance::system, patient);
    manager.dispatch();
    EXPECT_EQ(manager.timeout_ms(), -1) << "an idle connection must not wake its caller";
    manager.start_scope({.name = unit}, {.pidfd = pidfd.get(), .pid = ::getpid()});
    while (!manager.job_result()) {
        pollfd fd{manager.fd(), manager.events(), 0};
        const int timeout = manager.timeout_ms();
        ASSERT_GE(timeout, 0) << "a starting scope has a deadline";
        ASSERT_LE(timeout, 20'000);
        ASSERT_GE(::poll(&fd, 1, timeout), 0);
        manager.dispatch();
    }
    EXPECT_FALSE(manager.job_result()->failure);
}

TEST(UnitPath, IsEncodedAsSystemdDoes) {
    const std::string root = "/org/freedesktop/systemd1/unit/";
    EXPECT_EQ(systemd::unit_path("sctr-web.scope"), root + "sctr_2dweb_2escope");
    EXPECT_EQ(systemd::unit_path("9a@b\\x2d_c.service"), root + "_39a_40b_5cx2d_5fc_2eservice");
    EXPECT_EQ(systemd::unit_path("\xc3\xa9"), root + "_c3_a9");
}

} // namespace
} // namespace sctr::test
