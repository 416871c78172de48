// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/error.hpp"
#include "cli/archive_errors.hpp"
#include "cli/current_directory.hpp"
#include "cli/fetch_flags.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/image_platform.hpp"
#include "cli/typed_names.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "oci/image_change.hpp"
#include "oci/reference.hpp"
#include "storage/archives.hpp"
#include "storage/run_skopeo.hpp"
#include "storage/skopeo.hpp"
#include "storage/store.hpp"
#include "storage/work_directory.hpp"

/// The verbs by which images come and go: pull, push, load, import.
namespace sctr::cli {
namespace {

using storage::Store;
using storage::TransferOptions;

struct AccessFlags {
    FetchFlags fetch;
    std::optional<std::string> credentials;

    void add_to(CLI::App& app) {
        add_text(
            app, "--authfile", fetch.auth_file, "file of credentials, as podman login writes it");
        add_text(app, "--creds", credentials, "USER:PASSWORD (ps shows it: --authfile does not)");
        add_switch(app, "--tls-verify", fetch.verify_tls, "false: a registry without (valid) TLS");
        add_text(app, "--retry", fetch.retry, "how often to try again (0)");
        add_text(app,
                 "--retry-delay",
                 fetch.retry_delay,
                 "between the tries: 5s (default: longer each time)");
        add_switch(app, "-q,--quiet", fetch.quiet, "no progress");
    }

    [[nodiscard]] TransferOptions options() const {
        if (credentials && !credentials->contains(':')) {
            throw Error("no password").at("--creds").mend("USER:PASSWORD, or use --authfile");
        }
        TransferOptions options = transfer_options(fetch);
        options.credentials = credentials;
        return options;
    }
};

void copy_all(int from, int to, const std::string& where) {
    std::array<char, 1 << 16> buffer{};
    for (;;) {
        const ssize_t size = ::read(from, buffer.data(), buffer.size());
        if (size == 0) {
            return;
        }
        for (ssize_t done = 0; size > 0 && done < size;) {
            const ssize_t written =
                ::write(to, buffer.data() + done, static_cast<std::size_t>(size - done));
            if (written < 0 && errno != EINTR) {
                throw Error("cannot write").at(where).because(errno);
            }
            done += written > 0 ? written : 0;
        }
        if (size < 0 && errno != EINTR) {
            throw Error("cannot read").at(where).because(errno);
        }
    }
}

/// Standard input as a file that can be read twice.
std::string spool_input(const storage::WorkDirectory& work) {
    if (::isatty(STDIN_FILENO) == 1) {
        throw Error("there is no archive on standard input").mend("name one with -i FILE");
    }
    const std::string path = work.file("archive");
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.valid()) {
        throw Error("cannot write").at(path).because(errno);
    }
    copy_all(STDIN_FILENO, file.get(), "standard input");
    return path;
}

/// Throws Error of one that cannot be read, or has nothing in it.
void require_archive(const char* what, const std::string& place, const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    struct stat info{};
    if (!file.valid() || ::fstat(file.get(), &info) < 0) {
        throw Error(what).at(place).because(errno);
    }
    if (S_ISREG(info.st_mode) && info.st_size == 0) {
        throw Error(what).at(place).because("there is nothing in it");
    }
}

} // namespace

int pull_verb(const Words& words) {
    AccessFlags access;
    CLI::App app("Fetches images from registries, through skopeo. Short names are those of "
                 "containers-registries.conf(5): $CONTAINERS_REGISTRIES_CONF, "
                 "~/.config/containers/registries.conf, /etc/containers/registries.conf.",
                 "sctr pull");
    describe(app,
             "[OPTIONS] IMAGE...",
             {"sctr pull docker.io/library/debian:13",
              "sctr pull --platform linux/arm64 quay.io/fedora/fedora"});
    access.add_to(app);
    add_text(app, "--platform", access.fetch.platform, "OS/ARCHITECTURE[/VARIANT]");
    add_text(app, "--os", access.fetch.os, "the same in parts (default: linux)");
    add_text(
        app, "--arch", access.fetch.architecture, "amd64, arm64, ... (default: this machine's)");
    add_text(app, "--variant", access.fetch.variant, "of the architecture: v7, v8");
    const auto names = parse_names(app, words);
    if (names.empty()) {
        throw Error("no image named").mend("see 'sctr pull --help'");
    }
    const TransferOptions options = access.options();
    const Store store = Store::own();
    store.prepare();
    for (const std::string& name : names) {
        const std::string digest = storage::pull(store, name, options);
        const auto image = store.find_by_digest(digest);
        if (image && !options.platform) {
            warn_of_platform(name, image->image);
        }
        std::puts((image ? image->image.id : digest).c_str());
    }
    return 0;
}

int push_verb(const Words& words) {
    AccessFlags access;
    CLI::App app("Sends an image to a registry, through skopeo.", "sctr push");
    describe(app, "[OPTIONS] IMAGE [NAME]", {"sctr push base registry.example.org/base:1"});
    access.add_to(app);
    const auto names = parse_names(app, words);
    if (names.empty() || names.size() > 2) {
        throw Error("an image is needed, and the name that it is to have")
            .mend("see 'sctr push --help'");
    }
    const oci::Reference target = oci::parse_reference(names.back());
    if (target.is_short()) {
        throw Error("where to send the image?").at(names.back()).mend("give its registry, too");
    }
    const Store store = Store::own();
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    const auto image = require_image(store, names.front());
    const std::string name = target.full_name();
    try {
        storage::send(store, image.image.digest, "docker://" + name, access.options());
    } catch (const storage::SkopeoFailed& error) {
        throw storage::transfer_failed("cannot push the image",
                                       names.size() == 1 ? name : names.front() + " to " + name,
                                       name,
                                       error);
    }
    return 0;
}

int load_verb(const Words& words) {
    std::optional<std::string> input;
    bool quiet = false;
    CLI::App app("Takes images from an OCI archive or layout, or from a docker archive.",
                 "sctr load");
    describe(app, "[OPTIONS]", {"sctr load -i image.tar", "podman save x | sctr load"});
    add_text(app, "-i,--input", input, "archive or directory (default: standard input)");
    add_switch(app, "-q,--quiet", quiet, "no progress");
    parse_flags(app, words);
    const Store store = Store::own();
    store.prepare();
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    const storage::WorkDirectory work(store);
    const std::string path = input ? absolute_path(*input, current_directory()) : spool_input(work);
    const std::string place = input.value_or("standard input");
    require_archive("cannot load images", place, path);
    const auto images = [&] {
        try {
            return storage::load(store, path, {.quiet = quiet});
        } catch (const Error& error) {
            throw about_archive("cannot load images", place, error, path);
        }
    }();
    if (images.empty()) {
        throw Error("nothing was loaded").at(place).because("its index names no image");
    }
    for (const auto& loaded : images) {
        if (loaded.names.empty()) {
            std::puts(loaded.digest.c_str());
        }
        for (const std::string& name : loaded.names) {
            std::puts(name.c_str());
        }
    }
    return 0;
}

int import_verb(const Words& words) {
    std::optional<std::string> message;
    std::vector<std::string> env;
    std::optional<std::string> user;
    std::optional<std::string> workdir;
    std::vector<std::string> command;
    std::vector<std::string> changes;
    CLI::App app("Makes an image of one layer from a root file system: an archive or a directory.",
                 "sctr import");
    describe(app,
             "[OPTIONS] FILE|DIRECTORY|- [NAME]",
             {"sctr import debian.tar.zst debian",
              "sctr import -c 'CMD [\"bash\"]' -c 'EXPOSE 80' debian.tar debian",
              "sctr import /srv/rootfs/debian debian",
              "mmdebstrap trixie - | sctr import --cmd bash - debian"});
    add_text(app, "-m,--message", message, "comment in the image's history");
    add_texts(
        app, "--cmd", command, "a word of the command that its containers run; more than once");
    add_texts(app, "-e,--env", env, "NAME=VALUE");
    add_text(app, "-u,--user", user, "whose the command is");
    add_text(app, "-w,--workdir", workdir, "where it runs");
    add_texts(app, "-c,--change", changes, "line of a Containerfile: CMD, ENV, LABEL, ...");
    const auto names = parse_names(app, words);
    if (names.empty() || names.size() > 2) {
        throw Error("an archive or a directory is needed, and a name for the image")
            .mend("see 'sctr import --help'");
    }
    const std::string name = names.size() == 2 ? local_name(names.back()) : "";
    const Store store = Store::own();
    store.prepare();
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    const storage::WorkDirectory work(store);
    const std::string path = names.front() == "-" ? spool_input(work) : names.front();
    const std::string place = names.front() == "-" ? "standard input" : names.front();
    const storage::NewImage about{.process = {.user = user.value_or(""),
                                              .env = env,
                                              .cmd = command,
                                              .working_dir = workdir.value_or("")},
                                  .created_by = "sctr import",
                                  .comment = message.value_or(""),
                                  .changes = changes};
    (void)oci::change_config("{}", changes); // refused before anything is read
    require_archive("cannot import", place, path);
    const std::string digest = as_typed(TypedNames(app, words), [&] {
        try {
            return storage::import_root(store, path, about);
        } catch (const Error& error) {
            throw about_archive("cannot import", place, error, path);
        }
    });
    if (!name.empty()) {
        store.set_name(name, digest);
    }
    const auto image = store.find_by_digest(digest);
    std::puts((image ? image->image.id : digest).c_str());
    return 0;
}

} // namespace sctr::cli
