"""Makes ``tests/support.py`` importable as ``support``; properties are tested without a time limit of their own."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# the first example may compile kernels, and machines are shared
settings.register_profile("equinoise", deadline=None)
settings.load_profile("equinoise")
