"""Mitigation judged by gradients: symmetry verification and dynamical decoupling."""

from equinoise.mitigation.decoupling.decoupling import Decoupled, compare, decouple
from equinoise.mitigation.verification.symmetry_verification import Verified, verify
from equinoise.mitigation.verification.verified_law import VerifiedLaw, verified_law

__all__ = ["Decoupled", "Verified", "VerifiedLaw", "compare", "decouple", "verified_law", "verify"]
