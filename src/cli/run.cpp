// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "cli/container_files.hpp"
#include "cli/declared.hpp"
#include "cli/gather.hpp"
#include "cli/image_removal.hpp"
#include "cli/image_source.hpp"
#include "cli/inherited_fds.hpp"
#include "cli/log.hpp"
#include "cli/names.hpp"
#include "cli/removal.hpp"
#include "cli/request_builder.hpp"
#include "cli/run_flags.hpp"
#include "cli/service_flags.hpp"
#include "cli/service_main.hpp"
#include "cli/typed_names.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "container/stored.hpp"
#include "linux/clock.hpp"
#include "storage/root.hpp"

namespace sctr::cli {
namespace {

using container::RecordStore;

void check_id_file(const std::optional<std::string>& path) {
    if (path && ::access(path->c_str(), F_OK) == 0) {
        throw Error("the file is there already")
            .at("--cidfile " + *path)
            .mend("remove it, or name another");
    }
}

void write_id_file(const std::string& path, const std::string& id, UndoList& undo) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (file.valid()) {
        undo.add([path] { ::unlink(path.c_str()); });
    }
    if (!file.valid() ||
        ::write(file.get(), id.data(), id.size()) != static_cast<ssize_t>(id.size())) {
        throw Error("cannot write the file").at(path).because(errno);
    }
}

/// A container in the foreground has its name for as long as it runs.
void check_name_is_not_running(const RecordStore& store, const std::string& name) {
    if (store.has(name) &&
        container::current_status(store.load(name)) != container::Status::stopped) {
        throw Error("the name is in use")
            .at(name)
            .because("a container of that name is running")
            .mend("choose another --name, or remove it with 'sctr rm -f " + name + "'");
    }
}

/// Where systemd does not answer, what it may start later finds nothing to run.
void forget(container::Stored& stored, const std::string& name) {
    try {
        stored.remove(name, true);
    } catch (const Error&) {
        stored.definitions().remove(name);
    }
    try {
        storage::remove_root(storage::Store::own(), name);
    } catch (const Error& error) {
        log(LogLevel::warn, error.what());
    }
}

/// --replace, once nothing else is wrong with the command line.
void remove_replaced(const RunFlags& flags) {
    if (!flags.replace) {
        return;
    }
    if (has_container(*flags.name)) {
        act_unless_gone(*flags.name, has_container, [](const std::string& name) {
            remove_container(name, {.force = true});
        });
    }
}

void check_image_removal(const RunFlags& flags) {
    if (!flags.remove_image) {
        return;
    }
    if (!flags.image) {
        throw Error("--rmi needs an image").because("a directory is not removed").mend("drop it");
    }
    if (flags.remove_given && !flags.remove) {
        throw Error("--rmi does not go with --rm=false")
            .because("the container that is kept needs its image")
            .mend("drop one of them");
    }
    if (flags.service) {
        throw Error("--rmi does not go with --service")
            .because("systemd may start the container anew")
            .mend("drop it");
    }
}

void check_replace(const RunFlags& flags) {
    if (flags.replace && !flags.name) {
        throw Error("--replace needs --name").mend("say which container is replaced");
    }
    if (flags.replace && flags.service) {
        throw Error("--replace does not go with --service")
            .because("the container is its service's, which systemd starts anew")
            .mend("drop it");
    }
}

int run_as_service(const RunFlags& flags, const RecordStore& store, bool start) {
    const plan::ServiceOptions service = service_options(flags);
    const auto image = open_image(flags);
    const RootfsFacts facts = gather(flags, store, image);
    const plan::Request request = build_request(flags, facts);
    if (flags.dry_run) {
        std::puts(container::dry_run(request).c_str());
        return 0;
    }
    remove_replaced(flags);
    check_name_is_not_running(store, request.id);
    refuse_declared("store", request.id, "choose another --name");
    container::Definition definition = make_definition(flags, request, facts);
    definition.created_usec = sys::now_usec();
    container::Stored stored = container::Stored::own();
    stored.add(definition, service);
    UndoList undo;
    undo.add([&] { forget(stored, request.id); });
    if (flags.id_file) {
        write_id_file(*flags.id_file, request.id, undo);
    }
    if (start) {
        stored.start(request.id);
    }
    undo.dismiss();
    std::puts(request.id.c_str());
    return 0;
}

int run_in_foreground(const RunFlags& flags, const container::RunOptions& options) {
    static_cast<void>(service_options(flags)); // refuses what only a service has
    const auto image = open_image(flags);
    plan::Request request =
        build_request(flags, gather(flags, RecordStore(options.state_root), image));
    if (flags.dry_run) {
        std::puts(container::dry_run(request).c_str());
        return 0;
    }
    remove_replaced(flags);
    if (flags.name) {
        check_name_is_free(request.id);
    }
    log(LogLevel::debug, "container " + request.id + " in " + request.slice);
    const std::string id = request.id;
    ContainerFiles files(request, !flags.remove);
    UndoList undo;
    undo.add([&] { files.remove(); });
    const container::RunOutcome outcome = container::run(std::move(request), options);
    if (!flags.remove) {
        undo.dismiss();
    }
    if (outcome.oom_killed) {
        log(LogLevel::error,
            "container '" + id + "' was killed: out of memory at its limit (raise " +
                flags.typed.in("--memory", "") + ")");
    }
    return outcome.exit_status;
}

int run(const RunFlags& flags) {
    check_id_file(flags.id_file);
    check_replace(flags);
    check_image_removal(flags);
    if (flags.detach) {
        return run_as_service(flags, RecordStore(RecordStore::default_root()), true);
    }
    const container::PreservedFds preserved = take_preserved_fds(flags.identity);
    if (flags.service && !flags.dry_run) {
        return run_as_main_process(flags, preserved.numbers());
    }
    const container::RunOptions options{
        .interactive = flags.process.interactive,
        .machine = !flags.no_register,
        .remove = flags.remove,
        .pid_file = flags.pid_file.value_or(""),
        .id_file = flags.id_file.value_or(""),
        .warn = [](const Error& error) { log(LogLevel::warn, error.what()); },
        .note = [](const Error& error) { log(LogLevel::debug, error.what()); },
        .preserved_fds = preserved.numbers()};
    const int status = run_in_foreground(flags, options);
    if (flags.remove_image && !flags.dry_run) {
        remove_image_after_run(*flags.image);
    }
    return status;
}

int create(RunFlags flags) {
    check_id_file(flags.id_file);
    check_replace(flags);
    check_image_removal(flags);
    flags.detach = true;
    return run_as_service(flags, RecordStore(RecordStore::default_root()), false);
}

} // namespace

void check_name_is_free(const std::string& name) {
    const container::DefinitionStore stored(container::DefinitionStore::default_root());
    if (stored.has(name)) {
        throw Error("the name is in use")
            .at(name)
            .because("a stored container has it")
            .mend("choose another --name, or remove it with 'sctr rm " + name + "'");
    }
}

int run_verb(const Words& words) {
    const RunFlags flags = parse_run_flags(words);
    return as_typed(flags.typed, [&] { return run(flags); });
}

int create_verb(const Words& words) {
    const RunFlags flags = parse_run_flags(words, "create");
    return as_typed(flags.typed, [&] { return create(flags); });
}

} // namespace sctr::cli
