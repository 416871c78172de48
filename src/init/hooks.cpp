// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/hooks.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "init/control.hpp"
#include "linux/program.hpp"
#include "plan/protocol.hpp"

namespace sctr::init {

namespace {

using plan::protocol::HookFile;

HookIo hook_io(const std::vector<UniqueFd>& files, HookFile state) noexcept {
    if (files.size() != HookFile::hook_file_count) {
        fail({.what = "the files of the hooks are missing"}, EPROTO);
    }
    return {.state = files[state].get(),
            .out = files[HookFile::hook_out].get(),
            .err = files[HookFile::hook_err].get()};
}

void run_hook(const plan::HookStep& hook, const HookIo& io, const HookBirth& birth) noexcept {
    require(::lseek(io.state, 0, SEEK_SET) == 0, "cannot rewind the state for a hook");
    const std::int64_t begin = sys::output_size(io.err);
    sys::RunningProgram running({.path = hook.path,
                                 .args = hook.args,
                                 .env = hook.env,
                                 .directory = {},
                                 .standard = {io.state, io.out, io.err},
                                 .prepare = birth.prepare,
                                 .context = birth.context});
    running.wait(hook.timeout_seconds, -1);
    if (running.end().is_success()) {
        return;
    }
    const std::string tail = sys::output_tail(io.err, begin);
    fail({.what = "a hook failed",
          .where = hook.place + " (" + hook.path + ")",
          .why = to_string(running.end()) + (tail.empty() ? "" : ": " + tail)},
         0);
}

} // namespace

void run_hooks(std::span<const plan::HookStep> hooks,
               const HookIo& io,
               const HookBirth& birth) noexcept {
    for (const plan::HookStep& hook : hooks) {
        run_hook(hook, io, birth);
    }
}

void run_create_container_hooks(const plan::InitPlan& plan,
                                const std::vector<UniqueFd>& files,
                                int root) noexcept {
    if (plan.create_container_hooks.empty()) {
        return;
    }
    require(::fchdir(root) == 0, "cannot enter the rootfs");
    run_hooks(plan.create_container_hooks,
              hook_io(files, HookFile::state_creating),
              {.prepare = [](const void*) noexcept { ::umask(022); }});
}

StartHooks start_hooks(const plan::InitPlan& plan, const std::vector<UniqueFd>& files) noexcept {
    if (plan.start_container_hooks.empty()) {
        return {};
    }
    return {.steps = plan.start_container_hooks, .io = hook_io(files, HookFile::state_created)};
}

} // namespace sctr::init
