// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/checkpoint.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/oci/bundle.hpp"
#include "cli/oci/engine.hpp"
#include "cli/values.hpp"

/// checkpoint and restore.
namespace sctr::cli::engine {
namespace {

using container::criu::CgroupMode;

struct CriuFlags {
    std::optional<std::string> image_path;
    std::optional<std::string> work_path;
    std::optional<std::string> cgroups_mode;
    std::vector<std::string> empty_ns;
    bool tcp_established = false;
    bool ext_unix_sk = false;
    bool shell_job = false;
    bool lazy_pages = false;
    bool file_locks = false;
    bool auto_dedup = false;
};

void add_criu_flags(CLI::App& app, CriuFlags& flags) {
    add_text(
        app, "--image-path", flags.image_path, "directory of the images (default: ./checkpoint)");
    add_text(app, "--work-path", flags.work_path, "directory of the log (default: the images')");
    add_text(app,
             "--manage-cgroups-mode",
             flags.cgroups_mode,
             "soft, full, strict or ignore (default: soft)");
    add_texts(app, "--empty-ns", flags.empty_ns, "namespace whose content is not saved: network");
    add_switch(app, "--tcp-established", flags.tcp_established, "with open TCP connections");
    add_switch(app, "--ext-unix-sk", flags.ext_unix_sk, "with unix sockets to the outside");
    add_switch(app, "--shell-job", flags.shell_job, "with a terminal or session from outside");
    add_switch(app, "--lazy-pages", flags.lazy_pages, "memory is fetched when it is used");
    add_switch(app, "--file-locks", flags.file_locks, "with file locks");
    add_switch(app, "--auto-dedup", flags.auto_dedup, "memory is saved once");
}

CgroupMode read_cgroups_mode(const std::optional<std::string>& flag) {
    if (!flag || flag->empty()) {
        return CgroupMode::standard;
    }
    if (*flag == "soft") {
        return CgroupMode::soft;
    }
    if (*flag == "full") {
        return CgroupMode::full;
    }
    if (*flag == "strict") {
        return CgroupMode::strict;
    }
    if (*flag == "ignore") {
        return CgroupMode::ignore;
    }
    throw bad_value("--manage-cgroups-mode", *flag, "", "soft, full, strict or ignore");
}

void set_files(container::CriuFiles& to, const CriuFlags& flags) {
    to.images = flags.image_path.value_or("checkpoint");
    to.work = flags.work_path.value_or("");
    to.criu.cgroup_mode = read_cgroups_mode(flags.cgroups_mode);
    for (const std::string& type : flags.empty_ns) {
        if (type != "network") {
            throw bad_value("--empty-ns", type, "", "network");
        }
        to.criu.empty_namespaces |= CLONE_NEWNET;
    }
    to.criu.tcp_established = flags.tcp_established;
    to.criu.external_unix_sockets = flags.ext_unix_sk;
    to.criu.shell_job = flags.shell_job;
    to.criu.lazy_pages = flags.lazy_pages;
    to.criu.file_locks = flags.file_locks;
    to.criu.auto_dedup = flags.auto_dedup;
}

/// "ADDRESS:PORT", an IPv6 address in brackets.
void set_page_server(container::criu::Options& options, const std::string& text) {
    const auto colon = text.rfind(':');
    std::string address = text.substr(0, colon == std::string::npos ? 0 : colon);
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
    }
    if (address.empty()) {
        throw bad_value("--page-server", text, "", "ADDRESS:PORT");
    }
    options.page_server_address = address;
    options.page_server_port = static_cast<std::int32_t>(
        parse_in_range("--page-server", text.substr(colon + 1), 1, 65535));
}

void set_parent(container::CriuFiles& files, const std::string& parent) {
    if (parent.starts_with('/')) {
        throw bad_value("--parent-path", parent, "it is absolute", "relative to the image path");
    }
    struct stat info{};
    const std::string path = files.images + "/" + parent;
    if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
        throw Error("cannot use the parent path").at(path).because("it is not a directory");
    }
    files.criu.parent_images = parent;
    files.criu.track_memory = true;
}

int read_status_fd(const std::string& text) {
    const auto fd =
        static_cast<int>(parse_in_range("--status-fd", text, 0, std::numeric_limits<int>::max()));
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
        throw bad_value("--status-fd", text, "", "an open file descriptor that can be written");
    }
    return fd;
}

} // namespace

int checkpoint_verb(const Globals& globals, const Words& words) {
    CriuFlags flags;
    std::optional<std::string> parent;
    std::optional<std::string> page_server;
    std::optional<std::string> status_fd;
    container::CheckpointOptions options;
    CLI::App app("Saves the processes of a container in files, by CRIU.", "sctr-oci checkpoint");
    describe(app, "[OPTIONS] ID", {"sctr-oci checkpoint --image-path ./saved web"});
    add_criu_flags(app, flags);
    add_text(app, "--parent-path", parent, "images of a pre-dump, relative to the image path");
    add_switch(app, "--leave-running", options.criu.leave_running, "the container goes on");
    add_switch(app, "--pre-dump", options.pre_dump, "memory alone; the container goes on");
    add_text(app, "--page-server", page_server, "ADDRESS:PORT that takes the memory");
    add_text(app, "--status-fd", status_fd, "gets a 0 byte when lazy pages can be fetched");
    const std::string id = only_id(parse_names(app, words), "checkpoint");
    set_files(options, flags);
    options.warn = print_warning;
    if (page_server) {
        set_page_server(options.criu, *page_server);
    }
    if (status_fd) {
        options.status_fd = read_status_fd(*status_fd);
    }
    if (parent && !parent->empty()) {
        set_parent(options, *parent);
    }
    container::checkpoint(store_of(globals), id, options);
    return 0;
}

int restore_verb(const Globals& globals, const Words& words) {
    CriuFlags flags;
    CreateFlags create;
    std::optional<std::string> lsm_profile;
    std::optional<std::string> lsm_mount_context;
    bool no_subreaper = false;
    container::RestoreOptions options;
    CLI::App app("Brings a container back from files of checkpoint.", "sctr-oci restore");
    describe(app, "[OPTIONS] ID", {"sctr-oci restore --image-path ./saved --bundle ./bundle web"});
    add_criu_flags(app, flags);
    add_text(app, "-b,--bundle", create.bundle, "directory with config.json (default: here)");
    add_text(app, "--pid-file", create.pid_file, "write the pid of the container's init here");
    add_text(app, "--console-socket", create.console_socket, "socket that receives the terminal");
    add_switch(app, "-d,--detach", options.detach, "do not wait for the container");
    add_switch(app, "--no-subreaper", no_subreaper, "accepted: sctr-oci is never a subreaper");
    add_switch(app, "--no-pivot", create.no_pivot, "accepted: CRIU makes the root");
    add_text(app, "--lsm-profile", lsm_profile, "TYPE:NAME, instead of the saved one");
    add_text(app, "--lsm-mount-context", lsm_mount_context, "SELinux context of new mounts");
    const std::string id = only_id(parse_names(app, words), "restore");
    set_files(options, flags);
    options.state_root = globals.root;
    options.pid_file = create.pid_file.value_or("");
    options.console_socket = create.console_socket.value_or("");
    options.criu.lsm_profile = lsm_profile.value_or("");
    options.criu.lsm_mount_context = lsm_mount_context.value_or("");
    options.warn = print_warning;
    plan::Request request = request_of_bundle(create, id);
    request.has_scope = globals.has_scopes;
    return container::restore(request, options);
}

} // namespace sctr::cli::engine
