// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/hooks.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "container/init_process.hpp"
#include "linux/memfd.hpp"
#include "linux/procfs.hpp"
#include "linux/program.hpp"

namespace sctr::container {

namespace {

UniqueFd open_output(const oci::Spec& spec, const char* annotation) {
    const auto named = spec.annotations.find(annotation);
    if (named == spec.annotations.end()) {
        return {};
    }
    UniqueFd file(::open(named->second.c_str(),
                         O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
                         0600));
    if (!file.valid()) {
        throw Error("cannot open the file for the output of hooks")
            .at(std::string("annotation ") + annotation + ": " + named->second)
            .because(errno);
    }
    return file;
}

/// A hook without an environment of its own gets that of the runtime, as in runc and crun
/// (crun#906).
std::vector<std::string> environment_of(const std::vector<std::string>& given) {
    std::vector<std::string> environment = given;
    for (char** variable = environ; given.empty() && *variable != nullptr; ++variable) {
        environment.emplace_back(*variable);
    }
    return environment;
}

sys::ProgramEnd run_one(const oci::Hook& hook,
                        const oci::State& state,
                        const HookOutput& output,
                        const sys::SignalQueue* signals) {
    // A file rather than a pipe: a hook that does not read it neither blocks us nor breaks
    // anything.
    const UniqueFd input = sys::sealed_memfd("state", oci::to_json(state), false);
    ::lseek(input.get(), 0, SEEK_SET);
    sys::RunningProgram running({.path = hook.path,
                                 .args = hook.args,
                                 .env = environment_of(hook.env),
                                 .directory = state.bundle,
                                 .standard = {input.get(), output.out.get(), output.err.get()}});
    while (!running.wait(hook.timeout.value_or(0), signals == nullptr ? -1 : signals->fd())) {
        abort_if_asked(*signals);
    }
    return running.end();
}

/// The Error of a hook that failed, if it did.
std::optional<Error> run_hook(const std::string& place,
                              const oci::Hook& hook,
                              const oci::State& state,
                              const HookOutput& output,
                              const sys::SignalQueue* signals) {
    const std::int64_t begin = sys::output_size(output.err.get());
    const sys::ProgramEnd end = run_one(hook, state, output, signals);
    if (end.is_success()) {
        return {};
    }
    const std::string tail = sys::output_tail(output.err.get(), begin);
    Error error("a hook failed");
    error.at(place + " (" + hook.path + ")");
    error.because(to_string(end) + (tail.empty() ? "" : ": " + tail));
    return error;
}

std::string pointer(const char* kind, std::size_t index) {
    return std::string("/hooks/") + kind + "/" + std::to_string(index);
}

} // namespace

HookOutput open_hook_output(const oci::Spec& spec) {
    HookOutput output{.out = open_output(spec, "run.oci.hooks.stdout"),
                      .err = open_output(spec, "run.oci.hooks.stderr")};
    for (UniqueFd* file : {&output.out, &output.err}) {
        if (!file->valid()) {
            *file = sys::memory_file("hook-output");
        }
    }
    return output;
}

void run_hooks(const char* kind,
               const std::vector<oci::Hook>& hooks,
               const oci::State& state,
               const HookOutput& output,
               const sys::SignalQueue& signals) {
    for (std::size_t i = 0; i < hooks.size(); ++i) {
        if (auto error = run_hook(pointer(kind, i), hooks[i], state, output, &signals)) {
            throw *error;
        }
    }
}

oci::State hook_state(const plan::Request& request, pid_t pid) {
    return {.oci_version = request.spec.oci_version,
            .id = request.id,
            .status = "creating",
            .pid = pid,
            .bundle = request.bundle,
            .annotations = request.spec.annotations};
}

oci::State hook_state(const Record& record, const oci::Spec& config) {
    return {.oci_version = config.oci_version,
            .id = record.id,
            .status = to_string(current_status(record)),
            .pid = is_alive(record.pid, record.start_time) ? record.pid : 0,
            .bundle = record.bundle,
            .annotations = config.annotations};
}

void give_environment(plan::InitPlan& plan) {
    for (plan::HookStep& hook : plan.create_container_hooks) {
        hook.env = environment_of(hook.env);
    }
}

void run_runtime_hooks(const oci::Spec& spec,
                       oci::State state,
                       const HookOutput& output,
                       const sys::SignalQueue& signals) {
    // Deprecated for createRuntime, and from a time when a hook's state was "created": crun and the
    // compliance suite keep to that.
    state.status = "created";
    run_hooks("prestart", spec.hooks.prestart, state, output, signals);
    state.status = "creating";
    run_hooks("createRuntime", spec.hooks.create_runtime, state, output, signals);
}

std::vector<UniqueFd> files_for_init(const oci::Spec& spec, oci::State state, HookOutput output) {
    if (spec.hooks.create_container.empty() && spec.hooks.start_container.empty()) {
        return {};
    }
    // "For hooks executed in the container namespace, it is the pid as seen by the container":
    // runtime.md, State.
    state.pid = sys::innermost_pid(state.pid);
    std::vector<UniqueFd> files(plan::protocol::hook_file_count);
    state.status = "creating";
    files[plan::protocol::state_creating] = sys::sealed_memfd("state", oci::to_json(state), false);
    state.status = "created";
    files[plan::protocol::state_created] = sys::sealed_memfd("state", oci::to_json(state), false);
    files[plan::protocol::hook_out] = std::move(output.out);
    files[plan::protocol::hook_err] = std::move(output.err);
    return files;
}

void run_poststart_hooks(const oci::Spec& spec, oci::State state, const sys::SignalQueue& signals) {
    state.status = "running";
    if (!spec.hooks.poststart.empty()) {
        run_hooks("poststart", spec.hooks.poststart, state, open_hook_output(spec), signals);
    }
}

std::vector<Error> run_poststop_hooks(const oci::Spec& spec, oci::State state) {
    std::vector<Error> failed;
    state.status = "stopped";
    state.pid = 0;
    const auto& hooks = spec.hooks.poststop;
    for (std::size_t i = 0; i < hooks.size(); ++i) {
        try {
            const HookOutput output = open_hook_output(spec);
            if (auto error = run_hook(pointer("poststop", i), hooks[i], state, output, nullptr)) {
                failed.push_back(*error);
            }
        } catch (const Error& error) {
            failed.push_back(error);
        }
    }
    return failed;
}

} // namespace sctr::container
