// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/run_skopeo.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/strings.hpp"
#include "linux/memfd.hpp"
#include "linux/process.hpp"
#include "linux/procfs.hpp"
#include "linux/program.hpp"

namespace sctr::storage {

namespace {

constexpr int not_found = 127;

/// skopeo's last words: `time="..." level=fatal msg="..."` without what is around the message.
std::string last_words(const std::string& text) {
    std::string line;
    for (const std::string& candidate : split(text, '\n')) {
        if (!candidate.empty()) {
            line = candidate;
        }
    }
    constexpr std::string_view start = "msg=\"";
    if (const auto at = line.find(start); at != std::string::npos && line.ends_with('"')) {
        line = line.substr(at + start.size(), line.size() - at - start.size() - 1);
        for (std::size_t i = 0; (i = line.find("\\\"", i)) != std::string::npos; ++i) {
            line.erase(i, 1);
        }
    }
    return escape_controls(line);
}

} // namespace

namespace {

/// With its output in `output`; in none where that is -1.
void run_with_output(std::vector<std::string> words, int output) {
    words.insert(words.begin(), "skopeo");
    const UniqueFd said = sys::raise_fd(sys::memory_file("sctr-skopeo"));
    const auto argv = sys::argument_pointers(words);
    sys::Child child = sys::fork_child(0, [&] {
        const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        if (::dup2(null.get(), STDIN_FILENO) < 0 ||
            ::dup2(output < 0 ? null.get() : output, STDOUT_FILENO) < 0 ||
            ::dup2(said.get(), STDERR_FILENO) < 0) {
            ::_exit(1);
        }
        ::execvp(argv.front(), argv.data());
        ::_exit(errno == ENOENT ? not_found : 1);
    });
    const int status = child.wait();
    if (status == 0) {
        return;
    }
    SkopeoFailed error("cannot copy the image");
    if (status == not_found) {
        error.because("there is no skopeo").mend("install skopeo");
        throw error;
    }
    const std::string words_of_it = last_words(
        sys::read_small_file("/proc/self/fd/" + std::to_string(said.get())).value_or(""));
    error.because(words_of_it.empty() ? "skopeo ended with status " + std::to_string(status)
                                      : words_of_it);
    throw error;
}

} // namespace

void run_skopeo(std::vector<std::string> words, bool quiet) {
    run_with_output(std::move(words), quiet ? -1 : STDERR_FILENO);
}

std::string ask_skopeo(std::vector<std::string> words) {
    const UniqueFd answer = sys::raise_fd(sys::memory_file("sctr-skopeo-answer"));
    run_with_output(std::move(words), answer.get());
    return sys::read_small_file("/proc/self/fd/" + std::to_string(answer.get())).value_or("");
}

void add_access(std::vector<std::string>& words,
                const TransferOptions& options,
                const std::string& side) {
    if (options.auth_file) {
        words.insert(words.end(), {"--authfile", *options.auth_file});
    }
    if (options.credentials) {
        words.insert(words.end(), {"--" + side + "creds", *options.credentials});
    }
    if (!options.verify_tls) {
        words.push_back("--" + side + "tls-verify=false");
    }
}

} // namespace sctr::storage
