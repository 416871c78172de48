# SPDX-License-Identifier: LGPL-2.1-or-later
"""Swaps two names for each other as fast as the kernel can, until it is killed: swap.py A B."""

import ctypes
import sys

AT_FDCWD = -100
RENAME_EXCHANGE = 2

libc = ctypes.CDLL(None)
a, b = (word.encode() for word in sys.argv[1:])
while True:
    libc.renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE)
