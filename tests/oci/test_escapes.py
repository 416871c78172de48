# SPDX-License-Identifier: LGPL-2.1-or-later
"""The escapes of this field (docs/security.md), each mounted against sctr-oci; `compare_escapes` does it to others."""

import pytest

import ground
from attacks import ATTACKS


@pytest.mark.parametrize("name", ATTACKS)
def test_the_host_is_not_reached(rootfs, probe, tmp_path, name):
    here = ground.Ground("sctr-oci", rootfs, tmp_path)
    ATTACKS[name](here)
    here.check_bait()
    assert here.outcome, "the attack did not take place"
