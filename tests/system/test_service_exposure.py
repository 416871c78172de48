# SPDX-License-Identifier: LGPL-2.1-or-later
"""What systemd-analyze thinks of the supervisor's service: docs/security.md says why each exposure stays."""

import subprocess

# In tenths, as --threshold takes it.
WORST = 96


def test_the_exposure_does_not_get_worse():
    command = ["systemd-analyze", "security", "--no-pager", f"--threshold={WORST}", "sctr@any.service"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "sctr@any.service:" in done.stdout, done
    assert done.returncode == 0, done.stdout


def test_what_is_good_stays_good():
    text = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "sctr@any.service"], capture_output=True, text=True
    ).stdout
    good = {line.split()[1].rstrip("=") for line in text.splitlines() if line.startswith("\u2713")}
    assert good >= {"NotifyAccess", "KeyringMode", "Delegate", "AmbientCapabilities"}, text
