"""Rows in place of events: the parts of a program of :mod:`.launch` that selects nothing and weighs nothing."""

from __future__ import annotations

from gpuhiggs.kernels.language import scalar

GATES: tuple[str, ...] = ()
STEPS: tuple[str, ...] = ()


@scalar
def gate(event, inputs, cuts, tables):
    """Let every row pass."""
    return 0


@scalar
def generator_weight(event, inputs, cuts):
    """Give every row the same weight."""
    return 1.0


@scalar
def preselect(event, inputs, cuts):
    """Let every row pass."""
    return True
