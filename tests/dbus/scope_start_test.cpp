// SPDX-License-Identifier: LGPL-2.1-or-later
// The start of a scope against a systemd that behaves in every way seen and feared.
#include "fixture.hpp"

#include "linux/procfs.hpp"

#include <fcntl.h>
#include <poll.h>

#include <array>
#include <cerrno>

namespace sctr::test {
namespace {

using systemd::Instance;
using systemd::Manager;

/// Starts the scope and waits; the error if it fails.
std::optional<Error> start_scope(Manager& manager, const systemd::ScopeLaunch& launch) {
    return error_of([&] {
        manager.start_scope({.name = unit, .properties = {{"Description", std::string("web")}}},
                            launch);
        manager.wait_for_scope();
    });
}

struct StartCase {
    const char* name;
    FakeSystemd::OnStart on_start;
    std::string error{};             ///< a part of the message; empty: the start succeeds
    int error_number = 0;            ///< of the error
    std::size_t calls = 1;           ///< of StartTransientUnit
    bool patience = true;            ///< false where a deadline must pass
    const char* existing = "";       ///< the state of a unit that has the name
    std::string existing_cgroup{};   ///< and where its processes are
    FakeSystemd::OnCall on_call{};   ///< after another call
    const char* refused_method = ""; ///< with AccessDenied
    bool controller = false;         ///< whether we are to be asked to stop the scope
    const char* existing_controller = "";
};

class ScopeStart : public testing::TestWithParam<StartCase> {
  protected:
    PrivateBus bus_;
};

TEST_P(ScopeStart, EndsAsItShould) {
    const StartCase& param = GetParam();
    FakeSystemd fake(bus_.address(), param.on_start, param.on_call);
    if (*param.existing != '\0') {
        fake.have_unit(unit, param.existing, param.existing_cgroup, param.existing_controller);
    }
    if (*param.refused_method != '\0') {
        fake.refuse_method(param.refused_method, "org.freedesktop.DBus.Error.AccessDenied");
    }
    const UniqueFd pidfd = own_pidfd();
    Manager manager(Instance::system, param.patience ? patient : hasty);

    const auto error = start_scope(
        manager, {.pidfd = pidfd.get(), .pid = ::getpid(), .controller = param.controller});

    EXPECT_EQ(error.has_value(), !param.error.empty()) << (error ? error->what() : "no error");
    if (error) {
        EXPECT_NE(std::string(error->what()).find(param.error), std::string::npos) << error->what();
        EXPECT_NE(std::string(error->what()).find(unit), std::string::npos) << error->what();
        EXPECT_EQ(error->error_number(), param.error_number) << error->what();
    }
    ASSERT_TRUE(manager.job_result());
    EXPECT_EQ(manager.job_result()->failure.has_value(), error.has_value());
    EXPECT_EQ(fake.starts().size(), param.calls);
}

FakeSystemd::OnStart refuse_with(const char* name, const char* text) {
    return [=](FakeSystemd& fake, const sdbus::MethodCall& call, const StartCall&) {
        fake.refuse(call, name, text);
    };
}

FakeSystemd::OnStart end_with(const char* result) {
    return [=](FakeSystemd& fake, const sdbus::MethodCall& call, const StartCall& start) {
        fake.reply_job(call);
        fake.job_removed(FakeSystemd::job, start.unit, result);
    };
}

/// Refuses the first calls and then does the job.
FakeSystemd::OnStart refuse_first(std::size_t times, const char* name, const char* text) {
    return [=](FakeSystemd& fake, const sdbus::MethodCall& call, const StartCall& start) {
        if (fake.starts().size() <= times) {
            fake.refuse(call, name, text);
        } else {
            do_job(fake, call, start);
        }
    };
}

void done_before_reply(FakeSystemd& fake, const sdbus::MethodCall& call, const StartCall& start) {
    fake.job_removed(FakeSystemd::job, start.unit, "done");
    fake.reply_job(call);
}

void other_job_first(FakeSystemd& fake, const sdbus::MethodCall& call, const StartCall& start) {
    fake.job_removed("/org/freedesktop/systemd1/job/6", start.unit, "canceled");
    fake.reply_job(call);
    fake.job_removed("/org/freedesktop/systemd1/job/8", start.unit, "failed");
    fake.job_removed(FakeSystemd::job, "other.scope", "failed");
    fake.job_removed(FakeSystemd::job, start.unit, "done");
}

void reply_only(FakeSystemd& fake, const sdbus::MethodCall& call, const StartCall&) {
    fake.reply_job(call);
}

void do_nothing(FakeSystemd&, const sdbus::MethodCall&, const StartCall&) {}

void know_only_pids(FakeSystemd& fake, const sdbus::MethodCall& call, const StartCall& start) {
    if (start.find("PIDFDs") != nullptr) {
        fake.refuse(call,
                    "org.freedesktop.DBus.Error.PropertyReadOnly",
                    "Cannot set property PIDFDs, or unknown property.");
    } else {
        do_job(fake, call, start);
    }
}

FakeSystemd::OnCall remove_unit_after(const char* method) {
    return [=](FakeSystemd& fake, const std::string& call) {
        if (call.starts_with(method)) {
            fake.unit_removed(unit);
        }
    };
}

constexpr const char* unit_exists = "org.freedesktop.systemd1.UnitExists";
constexpr const char* limits = "org.freedesktop.DBus.Error.LimitsExceeded";

INSTANTIATE_TEST_SUITE_P(
    Cases,
    ScopeStart,
    testing::Values(
        StartCase{.name = "done_after_reply", .on_start = do_job},
        StartCase{.name = "done_before_reply", .on_start = done_before_reply},
        StartCase{.name = "other_jobs_do_not_count", .on_start = other_job_first},
        StartCase{.name = "job_never_ends",
                  .on_start = reply_only,
                  .error = "did not finish the job",
                  .error_number = ETIMEDOUT,
                  .patience = false},
        StartCase{.name = "no_reply",
                  .on_start = do_nothing,
                  .error = "did not",
                  .error_number = ETIMEDOUT,
                  .patience = false},
        StartCase{.name = "failed", .on_start = end_with("failed"), .error = "job failed"},
        StartCase{.name = "cancelled", .on_start = end_with("canceled"), .error = "cancelled"},
        StartCase{.name = "timeout", .on_start = end_with("timeout"), .error = "timed out"},
        StartCase{.name = "dependency", .on_start = end_with("dependency"), .error = "depends on"},
        StartCase{.name = "skipped", .on_start = end_with("skipped"), .error = "\"skipped\""},
        StartCase{.name = "access_denied",
                  .on_start = refuse_with("org.freedesktop.DBus.Error.AccessDenied", "Denied"),
                  .error = "permission denied by systemd: Denied",
                  .error_number = EACCES},
        StartCase{
            .name = "interactive_authentication",
            .on_start = refuse_with("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                                    "Interactive authentication required."),
            .error = "polkit",
            .error_number = EACCES},
        StartCase{.name = "unknown_property",
                  .on_start = refuse_with("org.freedesktop.DBus.Error.PropertyReadOnly",
                                          "Cannot set property Foo, or unknown property."),
                  .error = "Foo, or unknown property. (the property may need a newer systemd"},
        StartCase{.name = "other_error",
                  .on_start = refuse_with("org.freedesktop.systemd1.BadUnitSetting", "bad"),
                  .error = "bad"},
        StartCase{.name = "only_pids_known", .on_start = know_only_pids, .calls = 2},
        StartCase{.name = "busy_for_a_while",
                  .on_start = refuse_first(2, limits, "too many"),
                  .calls = 3},
        StartCase{.name = "busy_for_ever",
                  .on_start = refuse_with(limits, "too many"),
                  .error = "too many",
                  .calls = 4},
        StartCase{.name = "name_of_a_running_unit",
                  .on_start = refuse_with(unit_exists, "exists"),
                  .error = "already running",
                  .existing = "active",
                  .existing_cgroup = sys::cgroup_of(::getpid())},
        StartCase{.name = "name_of_an_empty_scope",
                  .on_start = refuse_first(1, unit_exists, "exists"),
                  .calls = 2,
                  .existing = "active",
                  .existing_cgroup = "/no/such/cgroup",
                  .on_call = remove_unit_after("StopUnit")},
        StartCase{.name = "name_of_a_failed_unit",
                  .on_start = refuse_first(1, unit_exists, "exists"),
                  .calls = 2,
                  .existing = "failed",
                  .on_call = remove_unit_after("ResetFailedUnit")},
        StartCase{.name = "name_of_a_failed_unit_that_nobody_may_reset",
                  .on_start = refuse_with(unit_exists, "exists"),
                  .error = "cannot reset the failed unit",
                  .error_number = EACCES,
                  .existing = "failed",
                  .refused_method = "ResetFailedUnit"},
        StartCase{.name = "name_of_a_dead_unit_that_stays",
                  .on_start = refuse_with(unit_exists, "exists"),
                  .error = "inactive and systemd keeps it",
                  .patience = false,
                  .existing = "inactive"},
        StartCase{.name = "name_of_a_start_whose_controller_is_gone",
                  .on_start = refuse_first(1, unit_exists, "exists"),
                  .calls = 2,
                  .existing = "inactive",
                  .on_call = remove_unit_after("StopUnit"),
                  .controller = true},
        StartCase{.name = "name_of_a_start_that_somebody_waits_for",
                  .on_start = refuse_with(unit_exists, "exists"),
                  .error = "inactive and systemd keeps it",
                  .patience = false,
                  .existing = "inactive",
                  .on_call = remove_unit_after("StopUnit"),
                  .controller = true,
                  .existing_controller = ":1.7"},
        StartCase{.name = "name_taken_again",
                  .on_start = refuse_with(unit_exists, "exists again"),
                  .error = "exists again",
                  .calls = 2,
                  .existing = "failed",
                  .on_call = remove_unit_after("ResetFailedUnit")}),
    [](const auto& instance) { return instance.param.name; });

class Scope : public testing::Test {
  protected:
    PrivateBus bus_;
    UniqueFd pidfd_ = own_pidfd();
    systemd::ScopeLaunch launch_{.pidfd = pidfd_.get(), .pid = ::getpid()};
};

TEST_F(Scope, GivesTheProcessByPidfd) {
    FakeSystemd fake(bus_.address(), do_job);
    Manager manager(Instance::system, patient);
    ASSERT_FALSE(start_scope(manager, launch_));

    const StartCall start = fake.starts().at(0);
    EXPECT_EQ(start.mode, "fail");
    EXPECT_EQ(start.signature_of("PIDFDs"), "ah");
    EXPECT_EQ(start.find("PIDs"), nullptr);
    // A reference of ours would be a match of systemd's own, of which a bus gives it 512.
    EXPECT_EQ(start.find("Controller"), nullptr);
    EXPECT_EQ(start.find("Description")->value.get<std::string>(), "web");
}

TEST_F(Scope, GivesTheProcessByPidToAnOlderSystemd) {
    FakeSystemd fake(bus_.address(), know_only_pids);
    Manager manager(Instance::system, patient);
    ASSERT_FALSE(start_scope(manager, launch_));

    const StartCall start = fake.starts().at(1);
    EXPECT_EQ(start.signature_of("PIDs"), "au");
    EXPECT_EQ(start.find("PIDs")->value.get<std::vector<std::uint32_t>>(),
              std::vector{static_cast<std::uint32_t>(::getpid())});
    EXPECT_EQ(start.find("AddRef"), nullptr);
}

TEST_F(Scope, FreesTheNameInThisOrder) {
    FakeSystemd fake(bus_.address(),
                     refuse_first(1, unit_exists, "exists"),
                     remove_unit_after("ResetFailedUnit"));
    fake.have_unit(unit, "failed", "");
    Manager manager(Instance::system, patient);
    ASSERT_FALSE(start_scope(manager, launch_));

    EXPECT_EQ(fake.calls(),
              (std::vector<std::string>{"Subscribe", std::string("ResetFailedUnit ") + unit}));
}

TEST_F(Scope, IsNoSubscriberForLife) {
    FakeSystemd fake(
        bus_.address(), refuse_first(1, unit_exists, "exists"), remove_unit_after("Subscribe"));
    fake.have_unit(unit, "inactive", "");
    Manager manager(Instance::system, patient);
    ASSERT_FALSE(start_scope(manager, launch_));
    manager.dispatch(); // of its life, after the start
    EXPECT_TRUE(manager.unit_status(unit));
    EXPECT_EQ(fake.calls(), (std::vector<std::string>{"Subscribe", "Unsubscribe"}));
}

TEST_F(Scope, WaitsForADeadUnitToGoWithoutReset) {
    // It may go at any time after systemd has told us of its state.
    FakeSystemd fake(
        bus_.address(), refuse_first(1, unit_exists, "exists"), remove_unit_after("Subscribe"));
    fake.have_unit(unit, "deactivating", "");
    Manager manager(Instance::system, patient);
    ASSERT_FALSE(start_scope(manager, launch_));

    EXPECT_EQ(fake.starts().size(), 2U);
    EXPECT_EQ(fake.calls(), std::vector<std::string>{"Subscribe"});
}

TEST_F(Scope, NameWithABackslashIsWatchedToo) {
    const std::string name = "sctr-a\\x2db.scope";
    FakeSystemd fake(bus_.address(), do_job);
    Manager manager(Instance::system, patient);
    manager.start_scope({.name = name}, launch_);
    EXPECT_TRUE(manager.wait_for_scope());
}

/// A job that waits for another one, which waits for its caller to end.
TEST_F(Scope, IsTakenBackByWhoWaitsNoLonger) {
    launch_.controller = true;
    for (const bool answered : {true, false}) {
        FakeSystemd fake(
            bus_.address(),
            [](FakeSystemd& self, const sdbus::MethodCall& call, const StartCall& start) {
                self.reply_job(call);
                self.request_stop(start.unit, start.caller); // a mark that the test can see
            },
            [](FakeSystemd& self, const std::string& call) {
                if (call == "CancelJob 7") {
                    self.job_removed(FakeSystemd::job, unit, "canceled");
                }
            });
        Manager manager(Instance::system, patient);
        manager.start_scope({.name = unit}, launch_);
        while (answered && !manager.stop_requested()) {
            struct pollfd item{manager.fd(), manager.events(), 0};
            ::poll(&item, 1, -1);
            manager.dispatch();
        }
        manager.cancel_start();
        manager.cancel_start();

        const auto error = error_of([&] { manager.wait_for_scope(); });
        ASSERT_TRUE(error);
        EXPECT_NE(std::string(error->what()).find("cancel"), std::string::npos) << error->what();
        EXPECT_EQ(fake.calls(), std::vector<std::string>{"CancelJob 7"});
    }
}

TEST_F(Scope, DoneBeforeItCouldBeTakenBack) {
    FakeSystemd fake(bus_.address(), do_job);
    Manager manager(Instance::system, patient);
    manager.start_scope({.name = unit}, launch_);
    manager.cancel_start();
    EXPECT_TRUE(manager.wait_for_scope());
}

TEST_F(Scope, ReturnsWhenTheOtherFdHangsUp) {
    FakeSystemd fake(bus_.address(), do_nothing);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    ::close(ends[1]);
    Manager manager(Instance::system, patient);
    manager.start_scope({.name = unit}, launch_);

    EXPECT_FALSE(manager.wait_for_scope(reader.get()));
    EXPECT_FALSE(manager.job_result());
}

/// Everyone on a bus may send signals, also to one receiver alone.
class Impostor {
  public:
    explicit Impostor(const std::string& address)
        : connection_(sdbus::createSessionBusConnectionWithAddress(address)) {}

    void
    send_signal(const StartCall& to, const char* path, const char* interface, const char* name) {
        const auto object = sdbus::createObject(*connection_, sdbus::ObjectPath(path));
        auto signal =
            object->createSignal(sdbus::InterfaceName(interface), sdbus::SignalName(name));
        if (std::string_view(name) == "JobRemoved") {
            signal << std::uint32_t{7} << sdbus::ObjectPath(FakeSystemd::job) << to.unit << "done";
        }
        signal.setDestination(to.caller);
        signal.send();
        // Once this is answered, the bus has passed the signal on.
        connection_->requestName(sdbus::ServiceName("org.example.Impostor"));
    }

  private:
    std::unique_ptr<sdbus::IConnection> connection_;
};

TEST_F(Scope, BelievesOnlySystemdThatAJobHasEnded) {
    Impostor impostor(bus_.address());
    FakeSystemd fake(bus_.address(),
                     [&](FakeSystemd& self, const sdbus::MethodCall& call, const StartCall& start) {
                         impostor.send_signal(start,
                                              "/org/freedesktop/systemd1",
                                              "org.freedesktop.systemd1.Manager",
                                              "JobRemoved");
                         self.reply_job(call);
                         self.job_removed(FakeSystemd::job, start.unit, "failed");
                     });
    Manager manager(Instance::system, patient);
    EXPECT_TRUE(start_scope(manager, launch_));
}

TEST_F(Scope, ToldToStopBySystemd) {
    FakeSystemd fake(bus_.address(),
                     [](FakeSystemd& self, const sdbus::MethodCall& call, const StartCall& start) {
                         self.request_stop(start.unit, start.caller);
                         do_job(self, call, start);
                     });
    Manager manager(Instance::system, patient);
    launch_.controller = true;
    ASSERT_FALSE(start_scope(manager, launch_));

    const StartCall start = fake.starts().at(0);
    EXPECT_EQ(start.find("Controller")->value.get<std::string>(), start.caller);
    EXPECT_TRUE(manager.stop_requested());
}

TEST_F(Scope, BelievesOnlySystemdThatItIsToStop) {
    Impostor impostor(bus_.address());
    FakeSystemd fake(bus_.address(),
                     [&](FakeSystemd& self, const sdbus::MethodCall& call, const StartCall& start) {
                         impostor.send_signal(start,
                                              "/org/freedesktop/systemd1/unit/sctr_2dweb_2escope",
                                              "org.freedesktop.systemd1.Scope",
                                              "RequestStop");
                         do_job(self, call, start);
                     });
    Manager manager(Instance::system, patient);
    launch_.controller = true;
    ASSERT_FALSE(start_scope(manager, launch_));
    EXPECT_FALSE(manager.stop_requested());
}

TEST_F(Scope, BusEndsBeforeTheReply) {
    FakeSystemd fake(bus_.address(), [&](auto&&...) { bus_.kill(); });
    Manager manager(Instance::system, patient);
    const auto error = start_scope(manager, launch_);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->error_number(), ECONNRESET) << error->what();
}

TEST_F(Scope, BusEndsDuringTheJob) {
    FakeSystemd fake(bus_.address(), reply_only);
    Manager manager(Instance::system, patient);
    manager.start_scope({.name = unit}, launch_);
    while (fake.starts().empty()) {
        std::this_thread::yield();
    }
    bus_.kill();
    const auto error = error_of([&] { manager.wait_for_scope(); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->error_number(), ECONNRESET) << error->what();
    EXPECT_TRUE(error_of([&] { manager.dispatch(); })) << "nobody is told of the lost connection";
}

} // namespace
} // namespace sctr::test
