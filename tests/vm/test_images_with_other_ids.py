# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images in user namespaces of root's containers, on ext4 of Debian's kernel: what it has the most to do with of the
system suite's tests, all of which pass there (in six minutes)."""

from store import load, nothing_stays_in_the_store, pulled  # noqa: F401 (fixtures)
from test_mapped_images import container, image  # noqa: F401 (fixtures)
from test_mapped_images import (  # noqa: F401
    test_a_joined_user_namespace,
    test_file_capabilities_count,
    test_the_same_tree_is_seen,
    test_written_files_have_the_containers_ids_on_disk,
)
