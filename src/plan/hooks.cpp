// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/hooks.hpp"

namespace sctr::plan {

namespace {

std::vector<HookStep> hook_steps(const char* kind, const std::vector<oci::Hook>& hooks) {
    std::vector<HookStep> steps;
    steps.reserve(hooks.size());
    for (const oci::Hook& hook : hooks) {
        steps.push_back(
            {.place = std::string("/hooks/") + kind + "/" + std::to_string(steps.size()),
             .path = hook.path,
             .args = hook.args,
             .env = hook.env,
             .timeout_seconds = hook.timeout.value_or(0)});
    }
    return steps;
}

} // namespace

void add_hooks(const oci::Spec& spec, InitPlan& plan) {
    const oci::Hooks& hooks = spec.hooks;
    plan.create_container_hooks = hook_steps("createContainer", hooks.create_container);
    plan.start_container_hooks = hook_steps("startContainer", hooks.start_container);
    for (HookStep& hook : plan.start_container_hooks) {
        if (hook.env.empty() && spec.process) {
            hook.env = spec.process->env; // as in runc
        }
    }
    plan.hold_before_pivot = !hooks.prestart.empty() || !hooks.create_runtime.empty() ||
                             !hooks.create_container.empty() || !spec.linux.net_devices.empty();
}

} // namespace sctr::plan
