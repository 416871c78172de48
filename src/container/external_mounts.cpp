// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "container/checkpoint.hpp"
#include "plan/mounts.hpp"

namespace sctr::container {

std::vector<ExternalMount> external_mounts(const oci::Spec& config) {
    std::vector<ExternalMount> mounts;
    plan::InitPlan plan;
    plan.mounts = plan::mount_steps(config);
    for (const plan::MountStep& step : plan.mounts) {
        if (step.kind == plan::MountKind::bind) {
            mounts.push_back({step.target, step.target, step.source});
        }
    }
    // A user namespace has its device nodes from the host.
    plan::add_devices(config, plan);
    for (const plan::DeviceStep& device : plan.devices) {
        mounts.push_back({device.path, device.path, device.path});
    }
    return mounts;
}

} // namespace sctr::container
