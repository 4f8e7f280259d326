"""Simulated LHC events: Pythia through a parametrised CMS-like detector into NanoAOD-like files.

Simulation needs the extra ``gpuhiggs[demo]``; drawing pseudo-data from existing samples does not.
"""

from gpuhiggs.simulate.processes import Process, find_process, known_processes
from gpuhiggs.simulate.pseudo_data import PseudoData, draw_pseudo_data
from gpuhiggs.simulate.sample import SimulatedSample, is_current, simulate
from gpuhiggs.simulate.settings import Settings

__all__ = [
    "Process",
    "PseudoData",
    "Settings",
    "SimulatedSample",
    "draw_pseudo_data",
    "find_process",
    "is_current",
    "known_processes",
    "simulate",
]
