# SPDX-License-Identifier: MIT
"""What a program has that imports the package alone. mypy --strict reads it and python3 runs it: see
typed.py."""

from typing import assert_type

import thrum

assert_type(thrum.install(), None)
assert_type(thrum.made(), dict[str, int])
assert_type(thrum.queue.Queue[int]().not_full, thrum.threading.Condition)
assert_type(thrum.queue.REPLACED + thrum.threading.REPLACED, tuple[str, ...])
