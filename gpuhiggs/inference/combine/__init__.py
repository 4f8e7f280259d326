"""Combine's datacards, both ways: `read` makes a workspace of them, `write` writes one as a card with its templates.

The format is that of Combine's manual (The CMS collaboration, arXiv:2404.06614). A card that needs a RooWorkspace, and
a directive that is not known here, is refused by name.
"""

from __future__ import annotations

from gpuhiggs.inference.combine.build import read
from gpuhiggs.inference.combine.card import Card
from gpuhiggs.inference.combine.parse import parse
from gpuhiggs.inference.combine.write import write

__all__ = ["Card", "parse", "read", "write"]
