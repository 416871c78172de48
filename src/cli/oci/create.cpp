// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/oci/bundle.hpp"
#include "cli/oci/engine.hpp"
#include "cli/oci/inherit.hpp"
#include "cli/values.hpp"
#include "container/engine.hpp"
#include "container/notify.hpp"

/// create, start and run.
namespace sctr::cli::engine {
namespace {

void add_create_flags(CLI::App& app, CreateFlags& flags) {
    add_text(app, "-b,--bundle", flags.bundle, "directory with config.json (default: here)");
    add_text(app, "-f,--config", flags.config, "another config.json");
    add_text(app, "--pid-file", flags.pid_file, "write the pid of the container's init here");
    add_text(app, "--console-socket", flags.console_socket, "socket that receives the terminal");
    add_text(app, "--pidfd-socket", flags.pidfd_socket, "socket that receives init's pidfd");
    add_text(app, "--preserve-fds", flags.preserve_fds, "how many fds from 3 on are passed in");
    add_switch(app, "--no-pivot", flags.no_pivot, "MS_MOVE instead of pivot_root");
    add_switch(app, "--no-new-keyring", flags.no_new_keyring, "keep the session keyring");
}

plan::Request request_of(const Globals& globals, const CreateFlags& flags, const std::string& id) {
    plan::Request request = request_of_bundle(flags, id);
    request.has_scope = globals.has_scopes;
    return request;
}

/// The socket of the service that calls, where the container is to notify it through us.
std::string notify_socket(const Globals& globals, plan::Request& request) {
    const char* host = std::getenv("NOTIFY_SOCKET");
    const bool is_socket = host != nullptr && (*host == '/' || *host == '@');
    return is_socket && container::notify::add_to(request.spec, globals.root + "/" + request.id)
               ? host
               : "";
}

container::CreateOptions create_options(const Globals& globals, const CreateFlags& flags) {
    container::CreateOptions options;
    options.console_socket = flags.console_socket.value_or("");
    options.pidfd_socket = flags.pidfd_socket.value_or("");
    options.state_root = globals.root;
    options.warn = print_warning;
    options.pid_file = flags.pid_file.value_or("");
    return options;
}

void create(const Globals& globals, const CreateFlags& flags, const std::string& id) {
    const container::PreservedFds preserved = take_preserved_fds(flags.preserve_fds);
    plan::Request request = request_of(globals, flags, id);
    if (request.spec.process) {
        announce_listen_fds(*request.spec.process);
    }
    container::CreateOptions options = create_options(globals, flags);
    options.notify_socket = notify_socket(globals, request);
    options.preserved_fds = preserved.numbers();
    container::create(request, options);
}

} // namespace

int create_verb(const Globals& globals, const Words& words) {
    CreateFlags flags;
    CLI::App app("Makes a container from a bundle.", "sctr-oci create");
    describe(app, "[OPTIONS] ID", {"sctr-oci create --bundle ./bundle web"});
    add_create_flags(app, flags);
    create(globals, flags, only_id(parse_names(app, words), "create"));
    return 0;
}

int start_verb(const Globals& globals, const Words& words) {
    CLI::App app("Lets the command of a created container go.", "sctr-oci start");
    describe(app, "ID", {"sctr-oci start web"});
    container::start(store_of(globals), only_id(parse_names(app, words), "start"));
    return 0;
}

int run_verb(const Globals& globals, const Words& words) {
    CreateFlags flags;
    bool detach = false;
    bool keep = false;
    bool no_subreaper = false;
    CLI::App app("Creates and starts a container.", "sctr-oci run");
    describe(app, "[OPTIONS] ID", {"sctr-oci run --bundle ./bundle web"});
    add_create_flags(app, flags);
    add_switch(app, "-d,--detach", detach, "do not wait for the container");
    add_switch(app, "--keep", keep, "keep the state of a container that has ended");
    add_switch(app, "--no-subreaper", no_subreaper, "accepted: sctr-oci is never a subreaper");
    const std::string id = only_id(parse_names(app, words), "run");
    if (detach) {
        create(globals, flags, id);
        const container::RecordStore store = store_of(globals);
        try {
            container::start(store, id);
        } catch (const Error&) {
            container::remove(store, id, true);
            throw;
        }
        return 0;
    }
    if (flags.console_socket) {
        throw Error("a console socket without --detach")
            .at("--console-socket")
            .because("in the foreground the caller's own terminal is used");
    }
    plan::Request request = request_of(globals, flags, id);
    const container::RunOptions options{.interactive = true,
                                        .remove = !keep,
                                        .pid_file = flags.pid_file.value_or(""),
                                        .state_root = globals.root,
                                        .warn = print_warning,
                                        .notify_socket = notify_socket(globals, request)};
    return container::run(std::move(request), options).exit_status;
}

} // namespace sctr::cli::engine
