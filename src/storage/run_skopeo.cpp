// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/run_skopeo.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/strings.hpp"
#include "linux/memfd.hpp"
#include "linux/process.hpp"
#include "linux/procfs.hpp"
#include "linux/program.hpp"
#include "storage/short_names.hpp"

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

std::string base64(std::string_view text) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string encoded;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        const auto group = text.substr(i, 3);
        unsigned bits = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            bits = bits << 8U | (j < group.size() ? static_cast<unsigned char>(group[j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            encoded += j <= group.size() ? digits[bits >> (18 - 6 * j) & 63U] : '=';
        }
    }
    return encoded;
}

/// "docker://HOST/NAME:TAG" is "HOST/NAME" in a file of credentials, where it goes before what is
/// said of all of HOST. Source: containers-auth.json(5).
std::string repository_of(const std::vector<std::string>& words) {
    constexpr std::string_view transport = "docker://";
    for (const std::string& word : words) {
        if (word.starts_with(transport)) {
            std::string name = word.substr(transport.size());
            name.resize(std::min(name.find('@'), name.size()));
            const auto colon = name.rfind(':');
            const bool has_tag =
                colon != std::string::npos && colon > name.rfind('/') && name.contains('/');
            name.resize(has_tag ? colon : name.size());
            return name;
        }
    }
    return {};
}

/// The command line of a process is everybody's to read (proc(5)): credentials go to a file in
/// memory instead, beside those of the caller's file.
UniqueFd hide_credentials(std::vector<std::string>& words) {
    const auto option = std::ranges::find_if(words, [](const std::string& word) {
        return word.starts_with("--") && word.ends_with("creds");
    });
    if (option == words.end()) {
        return {};
    }
    const std::string credentials = *(option + 1);
    words.erase(option, option + 2);
    auto json = nlohmann::json::object();
    if (const auto file = std::ranges::find(words, "--authfile"); file != words.end()) {
        json =
            nlohmann::json::parse(sys::read_small_file(*(file + 1)).value_or(""), nullptr, false);
        if (!json.is_object()) {
            throw Error("cannot read the credentials").at("--authfile " + *(file + 1));
        }
        words.erase(file, file + 2);
    }
    json["auths"][repository_of(words)] = {{"auth", base64(credentials)}};
    UniqueFd hidden = sys::raise_fd(sys::sealed_memfd("sctr-credentials", json.dump(), false));
    const auto verb = std::ranges::find_if(
        words, [](const std::string& word) { return word == "copy" || word == "inspect"; });
    words.insert(verb == words.end() ? verb : verb + 1,
                 {"--authfile", "/proc/self/fd/" + std::to_string(hidden.get())});
    return hidden;
}

/// With its output in `output`; in none where that is -1.
void run_with_output(std::vector<std::string> words, int output) {
    const UniqueFd credentials = hide_credentials(words);
    // skopeo takes it as a flag alone; podman and buildah as the variable.
    if (const std::string conf = chosen_registries_conf(); !conf.empty()) {
        words.insert(words.begin(), {"--registries-conf", conf});
    }
    words.insert(words.begin(), "skopeo");
    const UniqueFd said = sys::raise_fd(sys::memory_file("sctr-skopeo"));
    const auto argv = sys::argument_pointers(words);
    sys::Child child = sys::fork_child(0, [&] {
        const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        if (::dup2(null.get(), STDIN_FILENO) < 0 ||
            ::dup2(output < 0 ? null.get() : output, STDOUT_FILENO) < 0 ||
            ::dup2(said.get(), STDERR_FILENO) < 0 ||
            (credentials.valid() && ::fcntl(credentials.get(), F_SETFD, 0) < 0)) {
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

SkopeoFailed transfer_failed(const char* what,
                             const std::string& where,
                             const std::string& name,
                             const SkopeoFailed& failure) {
    const std::string host = name.substr(0, name.find('/'));
    const std::string log_in =
        "log in with 'skopeo login " + host + "', or name a file of credentials: --authfile";
    const std::string tags =
        "'skopeo list-tags docker://" + repository_of({"docker://" + name}) + "' shows its tags";
    // The words of registries, by way of skopeo. Source: distribution-spec, Error Codes.
    const std::array<std::pair<std::string_view, std::string>, 11> mends{{
        {"authentication required", log_in},
        {"unauthorized", log_in},
        {"denied", log_in},
        {"invalid username/password", log_in},
        {"HTTP response to HTTPS client", "--tls-verify=false takes a registry without TLS"},
        {"x509:", "see containers-certs.d(5); --tls-verify=false takes any certificate"},
        {"no image found in", "'skopeo inspect --raw docker://" + name + "' shows its platforms"},
        {"manifest unknown", tags},
        {"name unknown", tags},
        {"repository name not known", tags},
        {"NAME_UNKNOWN", tags},
    }};
    std::string_view why(failure.what());
    constexpr std::string_view copying = "cannot copy the image: ";
    why.remove_prefix(why.starts_with(copying) ? copying.size() : 0);
    SkopeoFailed error(what);
    error.at(where).because(why);
    const auto* const known =
        std::ranges::find_if(mends, [&](const auto& each) { return why.contains(each.first); });
    if (known != mends.end()) {
        error.mend(known->second);
    }
    return error;
}

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
    if (options.retries > 0) {
        words.push_back("--retry-times=" + std::to_string(options.retries));
    }
    if (options.retries > 0 && options.retry_delay) {
        words.push_back("--retry-delay=" + std::to_string(options.retry_delay->count()) + "us");
    }
}

} // namespace sctr::storage
