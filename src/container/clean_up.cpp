// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/clean_up.hpp"

#include "container/hooks.hpp"
#include "container/resctrl.hpp"

namespace sctr::container {

void clean_up(const oci::Spec& spec, oci::State state, const Warn& warn) {
    if (spec.linux.intel_rdt) {
        leave_resctrl(*spec.linux.intel_rdt, state.id);
    }
    for (const Error& error : run_poststop_hooks(spec, std::move(state))) {
        if (warn) {
            warn(error);
        }
    }
}

void clean_up(const Record& record, const oci::Spec& config, const Warn& warn) {
    clean_up(config, hook_state(record, config), warn);
}

} // namespace sctr::container
