# SPDX-License-Identifier: LGPL-2.1-or-later
"""The system suite: sctr on a real systemd host, as root."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fixtures import *  # noqa: E402,F401,F403
