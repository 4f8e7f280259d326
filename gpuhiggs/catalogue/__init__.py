"""What is known about data beforehand: public datasets, their cross sections and luminosities, luminosity masks.

::

    datasets:
      - {catalogue: cms-open-data-2016/GluGluHToGG}              # files, cross section, … of the package
      - {catalogue: "cms-open-data-2016/DoubleEG_*"}             # both eras
    luminosity: catalogue
    lumi_mask: catalogue
"""

from __future__ import annotations

from .expansion import expand
from .releases import Dataset, File, Release, find, release_names

__all__ = ["Dataset", "File", "Release", "expand", "find", "release_names"]
