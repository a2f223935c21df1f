# SPDX-License-Identifier: MIT
"""The queues of the standard library."""

REPLACED = ()
