# SPDX-License-Identifier: LGPL-2.1-or-later
"""The system suite: sctr on a real systemd host, as root."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fixtures import *  # noqa: E402,F401,F403

import harness  # noqa: E402

# Modules whose containers have the network that root gets by default: what they test is about it, or about all of a
# start. It is most of the time of a start, and nothing to the others.
WITH_A_BRIDGE = {
    "test_declarative", "test_defaults", "test_errors", "test_faults", "test_faults_host", "test_format",
    "test_for_the_system", "test_health", "test_injection", "test_injection_life", "test_kills", "test_kills_engines",
    "test_machined", "test_networks", "test_networks_at_once", "test_networks_changed", "test_networks_drivers",
    "test_networks_killed", "test_networks_names", "test_networks_ports", "test_networks_rootless", "test_pairs",
    "test_rootless_sessions", "test_run_like_podman", "test_user_units",
}  # fmt: skip


def pytest_runtest_setup(item):
    harness.network = None if item.module.__name__ in WITH_A_BRIDGE else "none"
