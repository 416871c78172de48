// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/fetch_flags.hpp"

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/values.hpp"
#include "storage/platform.hpp"

namespace sctr::cli {
namespace {

std::string
part_of_platform(const char* flag, const std::optional<std::string>& word, const char* otherwise) {
    if (word && (word->empty() || word->contains('/'))) {
        throw bad_value(flag, *word, "", std::string("one word, as ") + otherwise);
    }
    return word.value_or("");
}

/// --platform, or its parts together.
std::optional<std::string> platform_of(const FetchFlags& flags) {
    if (!flags.os && !flags.architecture && !flags.variant) {
        return flags.platform;
    }
    if (flags.platform) {
        throw Error("--platform says what --os, --arch and --variant say").mend("give one");
    }
    const std::string system = part_of_platform("--os", flags.os, "linux");
    const std::string architecture = part_of_platform("--arch", flags.architecture, "arm64");
    const std::string variant = part_of_platform("--variant", flags.variant, "v8");
    return (system.empty() ? "linux" : system) + "/" +
           (architecture.empty() ? storage::own_architecture() : architecture) +
           (variant.empty() ? "" : "/" + variant);
}

} // namespace

storage::TransferOptions transfer_options(const FetchFlags& flags) {
    storage::TransferOptions options{.platform = platform_of(flags),
                                     .auth_file = flags.auth_file,
                                     .verify_tls = flags.verify_tls,
                                     .quiet = flags.quiet};
    if (flags.retry) {
        constexpr std::int64_t most = 1000;
        options.retries = static_cast<int>(parse_in_range("--retry", *flags.retry, 0, most));
    }
    if (flags.retry_delay) {
        constexpr std::uint64_t longest = 24ULL * 3600 * 1'000'000;
        const auto usec = parse_duration_usec(*flags.retry_delay);
        if (!usec || *usec > longest) {
            throw bad_value("--retry-delay", *flags.retry_delay, "", "a time of a day at most: 5s");
        }
        options.retry_delay = std::chrono::microseconds(*usec);
    }
    return options;
}

const char* first_fetch_flag(const FetchFlags& flags) {
    for (const auto& [flag, is_given] : {std::pair{"--platform", flags.platform.has_value()},
                                         std::pair{"--os", flags.os.has_value()},
                                         std::pair{"--arch", flags.architecture.has_value()},
                                         std::pair{"--variant", flags.variant.has_value()},
                                         std::pair{"--authfile", flags.auth_file.has_value()},
                                         std::pair{"--retry", flags.retry.has_value()},
                                         std::pair{"--retry-delay", flags.retry_delay.has_value()},
                                         std::pair{"--tls-verify", !flags.verify_tls}}) {
        if (is_given) {
            return flag;
        }
    }
    return nullptr;
}

} // namespace sctr::cli
