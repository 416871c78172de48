// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <linux/bpf.h>

#include <vector>

#include "plan/unit.hpp"

namespace sctr::plan {

/// The program of type BPF_PROG_TYPE_CGROUP_DEVICE that allows exactly these devices, written as
/// DeviceAllow= has them: "/dev/char/1:3", "char-136" or "block-*", each with letters of "rwm".
/// Throws Error for any other text. Source: bpf.h, struct bpf_cgroup_dev_ctx.
std::vector<struct bpf_insn> device_filter(const StringPairs& allowed);

} // namespace sctr::plan
