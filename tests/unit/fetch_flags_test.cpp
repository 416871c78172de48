// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/fetch_flags.hpp"
#include "storage/platform.hpp"
#include "storage/run_skopeo.hpp"

/// How images are fetched: what flags say, and the words of skopeo that become of it.
namespace sctr::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

storage::TransferOptions options_of(const std::string& line) {
    std::vector<std::string> words = split(line + " image", ' ');
    std::erase(words, "");
    return transfer_options(parse_run_flags(words).fetch);
}

TEST(FetchFlags, PartsMakeAPlatform) {
    const std::string own = storage::own_architecture();

    const struct {
        const char* line;
        std::string platform; ///< empty: this machine's
    } cases[] = {
        {"", ""},
        {"--platform linux/arm64", "linux/arm64"},
        {"--arch arm64", "linux/arm64"},
        {"--arch=arm --variant v7", "linux/arm/v7"},
        {"--os linux", "linux/" + own},
        {"--os freebsd --arch amd64", "freebsd/amd64"},
        {"--variant v8", "linux/" + own + "/v8"},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(options_of(each.line).platform.value_or(""), each.platform) << each.line;
    }
}

TEST(FetchFlags, BecomeWordsOfSkopeo) {
    const struct {
        const char* line;
        const char* words;
    } cases[] = {
        {"", ""},
        {"--authfile /a --tls-verify=false", "--authfile /a --src-tls-verify=false"},
        {"--retry 3", "--retry-times=3"},
        {"--retry 3 --retry-delay 1m500ms", "--retry-times=3 --retry-delay=60500000us"},
        {"--retry 0 --retry-delay 5s", ""},
        {"--retry-delay 5s", ""},
    };

    for (const auto& each : cases) {
        std::vector<std::string> words;
        storage::add_access(words, options_of(each.line), "src-");
        EXPECT_EQ(join(words, " "), each.words) << each.line;
    }
    EXPECT_FALSE(options_of("").quiet);
    EXPECT_TRUE(options_of("-q").quiet);
    EXPECT_TRUE(options_of("--quiet").quiet);
}

TEST(FetchFlags, SayWhatIsWrong) {
    const struct {
        const char* line;
        const char* flag;
        const char* why;
    } cases[] = {
        {"--platform linux/arm64 --arch arm", "--platform", "give one"},
        {"--platform linux/arm64 --os linux", "--os", "give one"},
        {"--arch linux/arm64", "--arch", "one word"},
        {"--os=", "--os", "one word"},
        {"--variant /", "--variant", "one word"},
        {"--retry often", "--retry", "not a number"},
        {"--retry -1", "--retry", "from 0 to"},
        {"--retry-delay soon", "--retry-delay", "5s"},
        {"--retry-delay 2d", "--retry-delay", "a day at most"},
    };

    for (const auto& each : cases) {
        try {
            options_of(each.line);
            ADD_FAILURE() << each.line << ": no error";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), AllOf(HasSubstr(each.flag), HasSubstr(each.why)))
                << each.line;
        }
    }
}

} // namespace
} // namespace sctr::cli
