// SPDX-License-Identifier: LGPL-2.1-or-later
// The records of containers: who holds a name, and what is left of those that are gone.
#include "container/record_store.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "container/id.hpp"
#include "linux/procfs.hpp"
#include "sandbox.hpp"

namespace sctr::test {
namespace {

namespace fs = std::filesystem;
using container::LockedRecord;
using container::Record;
using container::RecordStore;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string state_root = scratch + "/run/sctr";

RecordStore store() {
    return RecordStore(state_root);
}

/// What `act` throws, as text; "no error" when it does not.
template <typename Act> std::string error_of(Act act) {
    try {
        act();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

/// A container whose first process is this one.
Record living(const std::string& id) {
    return {.id = id,
            .unit = "sctr-" + id + ".scope",
            .description = "text \"quoted\" \xff",
            .pid = ::getpid(),
            .start_time = sys::process_start_time(::getpid()).value(),
            .boot_id = sys::boot_id(),
            .rootfs = "/root of it",
            .created_usec = 17};
}

/// One whose process has gone, and that nobody wrote down.
Record vanished(const std::string& id) {
    Record record = living(id);
    record.start_time += 1; // another process has the number by now
    return record;
}

Record ended(const std::string& id) {
    Record record = vanished(id);
    record.exit_status = 3;
    return record;
}

Record of_another_boot(Record record) {
    record.boot_id = "00000000-0000-0000-0000-000000000000";
    return record;
}

void keep(const Record& record) {
    store().create(record.id).save(record);
}

void write_state(const std::string& id, const std::string& text) {
    make_tree(state_root + "/" + id, {file("state.json", text)});
}

TEST(Record, IsReadAsItWasSaved) {
    expect_passes([] {
        Record record = ended("web");
        record.supervisor_pid = 4;
        record.supervisor_start = 5;
        record.bundle = "/bundle";
        record.cgroup = "/sctr.slice/sctr-web.scope";
        record.owner = 7;
        record.kept = true;
        record.started = true;
        record.stop_signal = 2;
        record.stop_timeout_usec = 9;
        record.oom_killed = true;
        keep(record);
        const Record read = store().load("web");
        EXPECT_EQ(read.id, record.id);
        EXPECT_EQ(read.unit, record.unit);
        EXPECT_EQ(read.description, "text \"quoted\" \xef\xbf\xbd") << "JSON is UTF-8";
        EXPECT_EQ(read.pid, record.pid);
        EXPECT_EQ(read.start_time, record.start_time);
        EXPECT_EQ(read.supervisor_pid, record.supervisor_pid);
        EXPECT_EQ(read.supervisor_start, record.supervisor_start);
        EXPECT_EQ(read.boot_id, record.boot_id);
        EXPECT_EQ(read.rootfs, record.rootfs);
        EXPECT_EQ(read.bundle, record.bundle);
        EXPECT_EQ(read.cgroup, record.cgroup);
        EXPECT_EQ(read.owner, record.owner);
        EXPECT_EQ(read.kept, record.kept);
        EXPECT_EQ(read.created_usec, record.created_usec);
        EXPECT_EQ(read.started, record.started);
        EXPECT_EQ(read.stop_signal, record.stop_signal);
        EXPECT_EQ(read.stop_timeout_usec, record.stop_timeout_usec);
        EXPECT_EQ(read.exit_status, record.exit_status);
        EXPECT_EQ(read.oom_killed, record.oom_killed);
        EXPECT_EQ(std::distance(fs::directory_iterator(state_root + "/web"), {}), 1)
            << "nothing is left beside it";
    });
}

TEST(Record, OfNoExitHasNone) {
    expect_passes([] {
        keep(living("web"));
        EXPECT_EQ(store().load("web").exit_status, std::nullopt);
    });
}

TEST(Record, KeepsItsConfig) {
    expect_passes([] {
        const oci::Spec spec{.root = {.path = "/r"}, .hostname = "box"};
        const LockedRecord locked = store().create("web");
        locked.save_config(spec);
        EXPECT_EQ(store().load_config("web").hostname, "box");
        EXPECT_EQ(store().load_config("web").root.path, "/r");
    });
}

TEST(Record, CanBeReadByItsOwnerOnly) {
    expect_passes([] {
        keep(living("web"));
        struct stat info{};
        ASSERT_EQ(::stat((state_root + "/web").c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 07777U, 0700U);
        ASSERT_EQ(::stat((state_root + "/web/state.json").c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 07777U, 0600U);
    });
}

TEST(Record, ThatIsMissingOrUnreadableIsNoContainer) {
    expect_passes([] {
        make_tree(state_root, {dir("empty")});
        write_state("torn", "{\"id\":\"torn\",");
        write_state("other", "{\"id\":\"other\"}");
        write_state("types", "{\"id\":7}");
        write_state("list", "[]");
        write_state("nothing", "");
        for (const char* id : {"missing", "empty", "torn", "other", "types", "list", "nothing"}) {
            EXPECT_THAT(error_of([&] { (void)store().load(id); }), HasSubstr("does not exist"))
                << id;
            EXPECT_THAT(error_of([&] { (void)store().load_config(id); }),
                        HasSubstr("does not exist"))
                << id;
        }
        EXPECT_THAT(error_of([] { (void)store().lock("missing"); }), HasSubstr("does not exist"));
        EXPECT_TRUE(store().list().empty());
    });
}

TEST(Record, CannotBeSavedOnAFullDisk) {
    // None is left, or room for a part of it.
    for (const std::uintmax_t pages_left : {0, 1}) {
        expect_passes([&] {
            fs::create_directories(state_root);
            ASSERT_EQ(::mount("small", state_root.c_str(), "tmpfs", 0, "size=64k"), 0);
            const LockedRecord locked = store().create("web");
            locked.save(living("web"));
            const std::string filler = state_root + "/web/filler";
            std::ofstream(filler) << std::string(128 << 10, 'x');
            fs::resize_file(filler, fs::file_size(filler) - 4096 * pages_left);
            Record large = ended("web");
            large.description = std::string(10'000, 'x');
            EXPECT_THAT(error_of([&] { locked.save(large); }),
                        AllOf(HasSubstr("cannot save"), HasSubstr("No space left on device")));
            EXPECT_EQ(store().load("web").exit_status, std::nullopt) << "the old one stays";
            EXPECT_FALSE(fs::exists(state_root + "/web/state.json.new"));
        });
    }
}

TEST(Record, OfAnOlderOrANewerSctrIsRead) {
    const std::string needed = R"("id":"web","unit":"u.scope","pid":7,"startTime":8,"bootId":"b")";
    expect_passes([&] {
        for (const std::string& text :
             {"{" + needed + "}", R"({"version":1,"later":{"a":[1]},)" + needed + "}"}) {
            write_state("web", text);
            const Record read = store().load("web");
            EXPECT_EQ(read.pid, 7);
            EXPECT_EQ(read.start_time, 8U);
            EXPECT_EQ(read.stop_signal, 15);
            EXPECT_FALSE(read.exit_status);
        }
    });
}

TEST(Record, ThatOnlyANewerSctrCanReadIsLeftAlone) {
    expect_passes([] {
        write_state("web", R"({"version":2})");
        EXPECT_THAT(error_of([] { (void)store().load("web"); }), HasSubstr("newer sctr"));
        EXPECT_THAT(error_of([] { (void)store().create("web"); }), HasSubstr("newer sctr"));
        EXPECT_TRUE(store().list().empty());
        store().sweep([](const Record&) { FAIL(); });
        EXPECT_TRUE(store().has("web"));
    });
}

TEST(Names, AreCheckedBeforeTheyBecomePaths) {
    struct Case {
        std::string name;
        bool for_people;
        bool for_engines;
    };

    const std::vector<Case> cases = {
        {"a", true, true},
        {"0", true, true},
        {"a.b_c-D9", true, true},
        {std::string(128, 'a'), true, true},
        {"_a", false, true},
        {"a+b", false, true},
        {"", false, false},
        {".", false, false},
        {"..", false, false},
        {"-a", false, false},
        {"a/b", false, false},
        {"../a", false, false},
        {"a b", false, false},
        {"a\n", false, false},
        {"\xc3\xa9", false, false},
        {std::string("a\0b", 3), false, false},
        {std::string(129, 'a'), false, false},
    };
    for (const auto& [name, for_people, for_engines] : cases) {
        EXPECT_EQ(error_of([&] { container::check_id(name); }) == "no error", for_people) << name;
        EXPECT_EQ(error_of([&] { container::check_engine_id(name); }) == "no error", for_engines)
            << name;
        if (!for_engines) {
            const auto invalid = HasSubstr("invalid container id");
            EXPECT_THAT(error_of([&] { (void)store().create(name); }), invalid) << name;
            EXPECT_THAT(error_of([&] { (void)store().lock(name); }), invalid) << name;
            EXPECT_THAT(error_of([&] { (void)store().load(name); }), invalid) << name;
            EXPECT_THAT(error_of([&] { (void)store().load_config(name); }), invalid) << name;
        }
    }
}

/// An engine's, which ended and waits for its deletion.
Record kept(const std::string& id) {
    Record record = vanished(id);
    record.kept = true;
    return record;
}

struct NameCase {
    const char* what;
    Record record;
    const char* error; ///< nullptr: the name is free
};

TEST(Create, TakesOnlyANameThatNobodyHolds) {
    expect_passes([] {
        const std::vector<NameCase> cases = {
            {"living", living("web"), "is running"},
            {"stopped and kept", ended("web"), "stopped container"},
            {"an engine's", kept("web"), "stopped container"},
            {"living with an exit status",
             [] {
                 Record record = living("web");
                 record.exit_status = 0;
                 return record;
             }(),
             "is running"},
            {"vanished", vanished("web"), nullptr},
            {"of another boot", of_another_boot(living("web")), nullptr},
        };
        for (const auto& [what, record, error] : cases) {
            fs::remove_all(state_root);
            keep(record);
            EXPECT_THAT(error_of([] { (void)store().create("web"); }),
                        HasSubstr(error == nullptr ? "no error" : error))
                << what;
        }
    });
}

TEST(Create, TakesTheNameOfWhatWasNeverFinished) {
    expect_passes([] {
        make_tree(state_root, {dir("empty")});
        write_state("torn", "{");
        for (const char* id : {"empty", "torn"}) {
            EXPECT_EQ(error_of([&] { (void)store().create(id); }), "no error") << id;
            EXPECT_FALSE(fs::exists(state_root + "/" + id + "/state.json")) << id;
        }
    });
}

TEST(Create, FailsWhereItsDirectoryCannotBe) {
    expect_passes([] {
        make_tree(scratch, {file("file")});
        const RecordStore bad(scratch + "/file/sctr");
        EXPECT_THAT(error_of([&] { (void)bad.create("web"); }), HasSubstr("cannot create"));
        make_tree(state_root, {file("web")});
        EXPECT_THAT(error_of([] { (void)store().create("web"); }), HasSubstr("cannot create"));
    });
}

/// Another process that does `act`, says so, and lives until it is ended.
class Other {
  public:
    template <typename Act> explicit Other(Act act) {
        std::array<int, 2> ready{};
        EXPECT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ready[0]);
            [[maybe_unused]] const auto held = act();
            (void)!::write(ready[1], "x", 1);
            ::pause();
            ::_exit(0);
        }
        ::close(ready[1]);
        char byte = 0;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1);
        ::close(ready[0]);
    }

    Other(const Other&) = delete;
    Other& operator=(const Other&) = delete;
    Other(Other&&) = delete;
    Other& operator=(Other&&) = delete;

    ~Other() { end(); }

    void end() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
            pid_ = -1;
        }
    }

    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
};

TEST(Lock, KeepsOthersOut) {
    expect_passes([] {
        Other other([] { return store().create("web"); });
        EXPECT_THAT(error_of([] { (void)store().create("web"); }),
                    HasSubstr("being created or changed"));
        EXPECT_EQ(error_of([] { (void)store().create("other"); }), "no error");
        other.end();
        EXPECT_EQ(error_of([] { (void)store().create("web"); }), "no error");
    });
}

TEST(Lock, IsWaitedFor) {
    expect_passes([] {
        const LockedRecord held = store().create("web");
        held.save(living("web"));
        std::array<int, 2> said{};
        ASSERT_EQ(::pipe2(said.data(), O_CLOEXEC), 0);
        const pid_t waiter = ::fork();
        if (waiter == 0) {
            // The lock is the open directory's, which a fork shares: taken anew it is another's.
            const LockedRecord locked = store().lock("web");
            ::_exit(store().load("web").exit_status == 3 ? 0 : 1);
        }
        held.save(ended("web"));
        held.unlock();
        int status = 0;
        ASSERT_EQ(::waitpid(waiter, &status, 0), waiter);
        EXPECT_EQ(WEXITSTATUS(status), 0) << "it did not wait";
    });
}

TEST(Lock, OfWhatWasRemovedMeanwhileIsNoContainer) {
    expect_passes([] {
        const LockedRecord held = store().create("web");
        held.save(ended("web"));
        const pid_t waiter = ::fork();
        if (waiter == 0) {
            ::_exit(error_of([] { (void)store().lock("web"); }).find("does not exist") !=
                            std::string::npos
                        ? 0
                        : 1);
        }
        held.remove();
        held.unlock();
        int status = 0;
        ASSERT_EQ(::waitpid(waiter, &status, 0), waiter);
        EXPECT_EQ(WEXITSTATUS(status), 0);
        EXPECT_FALSE(held.is_current());
    });
}

TEST(Remove, LeavesASuccessorOfTheSameName) {
    expect_passes([] {
        const LockedRecord old = store().create("web");
        old.remove();
        const LockedRecord successor = store().create("web");
        successor.save(living("web"));
        EXPECT_FALSE(old.is_current());
        EXPECT_TRUE(successor.is_current());
        old.remove();
        EXPECT_EQ(store().load("web").pid, ::getpid());
    });
}

TEST(Create, IsWonByOneOfManyProcesses) {
    expect_passes([] {
        // The name is a dead container's, which each of them may sweep first.
        keep(vanished("web"));
        constexpr int runners = 8;
        std::array<int, 2> gate{};
        ASSERT_EQ(::pipe2(gate.data(), O_CLOEXEC), 0);
        std::array<int, 2> won{};
        ASSERT_EQ(::pipe2(won.data(), O_CLOEXEC), 0);
        std::vector<pid_t> children;
        for (int i = 0; i < runners; ++i) {
            children.push_back(::fork());
            if (children.back() == 0) {
                ::close(gate[1]);
                ::close(won[0]);
                char byte = 0;
                (void)!::read(gate[0], &byte, 1); // until the gate opens
                try {
                    const LockedRecord mine = store().create("web");
                    (void)!::write(won[1], "w", 1);
                    ::close(won[1]);
                    ::pause(); // holds it
                } catch (const Error&) {
                    ::_exit(0);
                }
            }
        }
        ::close(won[1]);
        ::close(gate[0]);
        ::close(gate[1]);
        std::array<char, runners> winners{};
        EXPECT_EQ(::read(won[0], winners.data(), winners.size()), 1);
        EXPECT_EQ(::read(won[0], winners.data(), winners.size()), 0) << "two have won";
        for (const pid_t child : children) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        }
    });
}

TEST(List, IsSortedByAge) {
    expect_passes([] {
        EXPECT_TRUE(store().list().empty()) << "no state root";
        int age = 3;
        for (const char* id : {"c", "b", "a"}) {
            Record record = living(id);
            record.created_usec = age--;
            keep(record);
        }
        write_state("torn", "{");
        make_tree(state_root, {file("stray", "x")});
        std::vector<std::string> ids;
        for (const Record& record : store().list()) {
            ids.push_back(record.id);
        }
        EXPECT_THAT(ids, ElementsAre("a", "b", "c"));
    });
}

TEST(Sweep, ForgetsWhatNobodyElseWill) {
    expect_passes([] {
        Other supervisor([] { return 0; });
        Record watched = vanished("watched");
        watched.supervisor_pid = supervisor.pid();
        watched.supervisor_start = sys::process_start_time(supervisor.pid()).value();
        Record unwatched = vanished("unwatched");
        unwatched.supervisor_pid = supervisor.pid();
        unwatched.supervisor_start = watched.supervisor_start + 1;
        for (const Record& record : {living("living"),
                                     ended("ended"),
                                     vanished("vanished"),
                                     kept("kept"),
                                     watched,
                                     unwatched,
                                     of_another_boot(living("boot")),
                                     of_another_boot(ended("bootended")),
                                     of_another_boot(kept("bootkept"))}) {
            keep(record);
        }
        make_tree(state_root, {dir("halfmade")});
        write_state("torn", "{");
        keep(vanished("held")); // by its supervisor, of whom nothing is read then
        const UniqueFd hold = store().open("held").hold();
        const Other maker([] { return store().create("beingmade"); });
        std::vector<std::string> told;
        store().sweep([&](const Record& record) { told.push_back(record.id + " " + record.unit); });
        EXPECT_THAT(told,
                    testing::UnorderedElementsAre("vanished sctr-vanished.scope",
                                                  "unwatched sctr-unwatched.scope",
                                                  "halfmade sctr-halfmade.scope",
                                                  "torn sctr-torn.scope"));
        std::vector<std::string> kept;
        for (const auto& entry : fs::directory_iterator(state_root)) {
            kept.push_back(entry.path().filename());
        }
        EXPECT_THAT(kept,
                    testing::UnorderedElementsAre(
                        "living", "ended", "kept", "watched", "held", "beingmade"));
    });
}

TEST(IsAlive, TellsAProcessFromALaterOneOfItsNumber) {
    expect_passes([] {
        const auto start = sys::process_start_time(::getpid()).value();
        EXPECT_TRUE(container::is_alive(::getpid(), start));
        EXPECT_FALSE(container::is_alive(::getpid(), start + 1));
        EXPECT_FALSE(container::is_alive(0, start));
        EXPECT_FALSE(container::is_alive(-1, start));
        EXPECT_FALSE(container::is_alive(1 << 30, 0));
    });
}

TEST(Status, IsThatOfTheProcessNotOfTheRecord) {
    expect_passes([] {
        Record record = living("web");
        EXPECT_EQ(container::current_status(record), container::Status::created);
        record.started = true;
        EXPECT_EQ(container::current_status(record), container::Status::running);
        EXPECT_EQ(container::current_status(of_another_boot(record)), container::Status::stopped);
        EXPECT_EQ(container::current_status(vanished("web")), container::Status::stopped);
    });
}

TEST(Supervisor, IsWaitedForUntilItsEnd) {
    expect_passes([] {
        Record record = vanished("web");
        EXPECT_FALSE(container::wait_for_supervisor(record)) << "there is none";
        Other other([] { return 0; });
        record.supervisor_pid = other.pid();
        record.supervisor_start = sys::process_start_time(other.pid()).value() + 1;
        EXPECT_FALSE(container::wait_for_supervisor(record)) << "another process";
        record.supervisor_start -= 1;
        const pid_t killer = ::fork();
        if (killer == 0) {
            ::kill(other.pid(), SIGKILL);
            ::_exit(0);
        }
        // It may have ended before we look, and then there was none to wait for.
        (void)container::wait_for_supervisor(record);
        EXPECT_FALSE(container::is_alive(record.supervisor_pid, record.supervisor_start));
        ::waitpid(killer, nullptr, 0);
    });
}

} // namespace
} // namespace sctr::test
