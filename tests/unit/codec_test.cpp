// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/codec.hpp"

#include <gtest/gtest.h>

#include "plan/protocol.hpp"

namespace sctr::plan {
namespace {

protocol::Message message() {
    protocol::Message message;
    message.kind = protocol::Kind::failed;
    message.error_number = -1;
    message.what = "what";
    message.why = std::string("null\0byte", 9);
    return message;
}

TEST(Codec, ReadsWhatItWrote) {
    InitPlan plan;
    plan.namespaces = {{.clone_flag = 1, .join_fd = 11, .join_path = "/ns"}};
    plan.mounts = {{.kind = MountKind::bind, .source = "/a", .data = {"x", ""}, .recursive = true}};
    plan.process.args = {"sh", "-c", ""};
    plan.process.seccomp.program = {1, ~std::uint64_t{0}};
    plan.process.set_groups = false;
    const std::string bytes = codec::encode(plan);
    InitPlan read;
    ASSERT_TRUE(codec::decode(bytes, read));
    EXPECT_EQ(read.namespaces[0].join_path, "/ns");
    EXPECT_TRUE(read.mounts[0].recursive);
    EXPECT_EQ(read.process.seccomp.program, plan.process.seccomp.program);
    EXPECT_FALSE(read.process.set_groups);
    EXPECT_EQ(codec::encode(read), bytes);
}

TEST(Codec, RefusesWhatIsNotExactlyOneRecord) {
    const std::string bytes = codec::encode(message());
    protocol::Message read;
    EXPECT_TRUE(codec::decode(bytes, read));
    EXPECT_EQ(read.why, message().why);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(codec::decode(std::string_view(bytes).substr(0, size), read)) << size;
    }
    EXPECT_FALSE(codec::decode(bytes + '\0', read));
}

TEST(Codec, RefusesAByteThatIsNoBool) {
    for (const auto& [byte, good] :
         {std::pair('\0', true), {'\1', true}, {'\2', false}, {'\xff', false}}) {
        codec::Reader reader(std::string_view(&byte, 1));
        bool flag = false;
        reader(flag);
        EXPECT_EQ(reader.complete(), good) << int{byte};
        EXPECT_EQ(flag, byte == '\1') << int{byte};
    }
}

TEST(Codec, BelievesNoCount) {
    // Four thousand million strings, of which none is there.
    std::string bytes = "\xff\xff\xff\xff";
    codec::Reader reader(bytes);
    std::vector<std::string> items;
    reader(items);
    EXPECT_FALSE(reader.ok());
    EXPECT_LT(items.size(), 2U);
}

} // namespace
} // namespace sctr::plan
