# SPDX-License-Identifier: MIT
"""Imported by a .pth file when the interpreter starts: thrum's types stand in the standard modules.

test_queue imports queue anew, by path, so that a queue.py before the standard one is needed too."""

import os
import sys

import thrum

thrum.install()
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'shadow'))
