// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/criu_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sctr::container::criu {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string bytes(std::initializer_list<int> values) {
    std::string text;
    for (const int value : values) {
        text += static_cast<char>(value);
    }
    return text;
}

TEST(CriuRequest, NamesItsKindAndTheImages) {
    Options options;
    options.images_fd = 300;
    // type = 1 (dump), opts { images_dir_fd = 300 (two bytes of varint), ...
    EXPECT_THAT(encode_request(RequestKind::dump, options),
                StartsWith(bytes({0x08, 0x01, 0x12}) + bytes({0x10, 0x08, 0xac, 0x02})));
}

/// Each option by itself, and the bytes that it adds.
TEST(CriuRequest, EveryOptionHasItsField) {
    struct Case {
        const char* name;
        void (*set)(Options&);
        std::string expected;
    };

    for (const Case& each : {
             Case{"pid", [](Options& o) { o.pid = 5; }, bytes({0x10, 5})},
             Case{"leave_running", [](Options& o) { o.leave_running = true; }, bytes({0x18, 1})},
             Case{"ext_unix_sk",
                  [](Options& o) { o.external_unix_sockets = true; },
                  bytes({0x20, 1})},
             Case{"tcp", [](Options& o) { o.tcp_established = true; }, bytes({0x28, 1})},
             Case{"shell_job", [](Options& o) { o.shell_job = true; }, bytes({0x38, 1})},
             Case{"file_locks", [](Options& o) { o.file_locks = true; }, bytes({0x40, 1})},
             Case{"root", [](Options& o) { o.root = "/r"; }, bytes({0x6a, 2, '/', 'r'})},
             Case{"parent", [](Options& o) { o.parent_images = "p"; }, bytes({0x72, 1, 'p'})},
             Case{"track_mem", [](Options& o) { o.track_memory = true; }, bytes({0x78, 1})},
             Case{"auto_dedup", [](Options& o) { o.auto_dedup = true; }, bytes({0x80, 0x01, 1})},
             Case{"work_dir_fd", [](Options& o) { o.work_fd = 7; }, bytes({0x88, 0x01, 7})},
             Case{"sibling", [](Options& o) { o.restore_sibling = true; }, bytes({0xd0, 0x01, 1})},
             Case{"empty_ns", [](Options& o) { o.empty_namespaces = 1; }, bytes({0xb0, 0x02, 1})},
             Case{"freeze", [](Options& o) { o.freeze_cgroup = "f"; }, bytes({0xe2, 0x02, 1, 'f'})},
             Case{"lazy", [](Options& o) { o.lazy_pages = true; }, bytes({0x80, 0x03, 1})},
             Case{"config", [](Options& o) { o.config_file = "c"; }, bytes({0x9a, 0x03, 1, 'c'})},
             Case{"lsm", [](Options& o) { o.lsm_profile = "l"; }, bytes({0xaa, 0x03, 1, 'l'})},
             Case{"context",
                  [](Options& o) { o.lsm_mount_context = "m"; },
                  bytes({0xfa, 0x03, 1, 'm'})},
             Case{"mode",
                  [](Options& o) { o.cgroup_mode = CgroupMode::strict; },
                  bytes({0x90, 0x02, 5})},
             Case{"page server",
                  [](Options& o) {
                      o.page_server_address = "a";
                      o.page_server_port = 9;
                  },
                  bytes({0x5a, 5, 0x0a, 1, 'a', 0x10, 9})},
             Case{"mount",
                  [](Options& o) { o.external_mounts = {{"k", "v"}}; },
                  bytes({0xba, 0x01, 6, 0x0a, 1, 'k', 0x12, 1, 'v'})},
             Case{"cgroup root",
                  [](Options& o) { o.cgroup_root = "/c"; },
                  bytes({0xca, 0x01, 6, 0x0a, 0, 0x12, 2, '/', 'c'})},
             Case{"inherited",
                  [](Options& o) { o.inherited = {{"p", 2}}; },
                  bytes({0xda, 0x01, 5, 0x0a, 1, 'p', 0x10, 2})},
             Case{"external",
                  [](Options& o) { o.external = {"net[1]:n"}; },
                  bytes({0xaa, 0x02, 8}) + "net[1]:n"},
             Case{"joined",
                  [](Options& o) { o.joined_namespaces = {{"ipc", "/p"}}; },
                  bytes({0xba, 0x02, 9, 0x0a, 3, 'i', 'p', 'c', 0x12, 2, '/', 'p'})},
         }) {
        Options options;
        options.images_fd = 3;
        const std::string without = encode_request(RequestKind::dump, options);
        each.set(options);
        EXPECT_THAT(without, Not(HasSubstr(each.expected))) << each.name;
        EXPECT_THAT(encode_request(RequestKind::dump, options), HasSubstr(each.expected))
            << each.name;
    }
}

TEST(CriuRequest, AsksForFeatures) {
    EXPECT_EQ(encode_feature_check(), bytes({0x08, 9, 0x2a, 4, 0x08, 1, 0x10, 1}));
}

TEST(CriuRequest, GoesOnAfterANotification) {
    EXPECT_EQ(encode_notified(), bytes({0x08, 6, 0x18, 1}));
}

TEST(CriuAnswer, IsRead) {
    EXPECT_EQ(decode_answer(bytes({0x08, 2, 0x10, 1, 0x22, 3, 0x08, 0xac, 0x02})),
              (Answer{.kind = 2, .success = true, .restored = 300}));
    EXPECT_EQ(decode_answer(bytes({0x08, 6, 0x10, 1, 0x2a, 5, 0x0a, 1, 's', 0x10, 9})),
              (Answer{.kind = 6, .success = true, .script = "s", .script_pid = 9}));
    EXPECT_EQ(decode_answer(bytes({0x08, 1, 0x10, 0, 0x38, 17, 0x4a, 2, 'n', 'o'})),
              (Answer{.kind = 1, .error_number = 17, .error_text = "no"}));
    EXPECT_EQ(decode_answer(bytes({0x08, 9, 0x10, 1, 0x42, 4, 0x08, 0, 0x10, 1})),
              (Answer{.kind = 9, .success = true, .can_fetch_lazily = true}));
    // What later versions add: a varint, 8 bytes, a block, 4 bytes.
    EXPECT_EQ(decode_answer(bytes({0x08, 1, 0x78, 5, 0x79, 1,    2, 3, 4, 5, 6,
                                   7,    8, 0x7a, 1, 'x',  0x7d, 1, 2, 3, 4})),
              (Answer{.kind = 1}));
}

TEST(CriuAnswer, IsRefusedWhenItIsDamaged) {
    for (const std::string& each : {std::string(),
                                    bytes({0x08}),
                                    bytes({0x08, 0x80}),
                                    bytes({0x10, 1}),
                                    bytes({0x08, 1, 0x2a, 9, 0x0a}),
                                    bytes({0x08, 1, 0x2a, 1, 0x0a}),
                                    bytes({0x08, 1, 0x79, 1}),
                                    bytes({0x0b, 1}),
                                    std::string(20, '\xff')}) {
        EXPECT_EQ(decode_answer(each), std::nullopt) << testing::PrintToString(each);
    }
}

TEST(CriuLog, TheLastErrorBeforeTheEndIsTheReason) {
    EXPECT_EQ(failure_in_log("(00.1) Error (criu/a.c:1): first\n"
                             "(00.2) Warn  (criu/a.c:2): no\n"
                             "(00.3) Error (criu/b.c:3): the reason\n"
                             "(00.4) Error (criu/cr-dump.c:2111): Dumping FAILED.\n"),
              "the reason");
    EXPECT_EQ(failure_in_log("(00.3)      1: Error (criu/b.c:3): in a task: 2\n"), "in a task: 2");
    EXPECT_EQ(failure_in_log("(00.1) all is well\n"), "");
    EXPECT_EQ(failure_in_log(""), "");
}

} // namespace
} // namespace sctr::container::criu
