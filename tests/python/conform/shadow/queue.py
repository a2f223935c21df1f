# SPDX-License-Identifier: MIT
"""What test_queue gets when it imports queue anew."""

from thrum.queue import *  # noqa: F401,F403
from thrum.queue import _PySimpleQueue  # noqa: F401
