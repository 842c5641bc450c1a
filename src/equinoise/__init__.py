"""equinoise: whether the gradients of a charge-conserving quantum circuit survive a real device's noise, and why."""

from typing import Any

from equinoise import studies
from equinoise.diagnosis.diagnose import Diagnosis, diagnose
from equinoise.engines.evaluate import expectation, gradient, gradient_variance
from equinoise.errors import EquinoiseError
from equinoise.law.law import law
from equinoise.law.lie_variance import lie_algebraic_check, lie_algebraic_variance
from equinoise.law.rates import aligned_rates
from equinoise.problem import circuits, symmetry
from equinoise.problem.ensemble import Ensemble
from equinoise.problem.noise import NoiseModel
from equinoise.problem.problem import Problem
from equinoise.problem.sources import free_angles, load_circuit
from equinoise.reduction.symmetry_search import find_symmetries
from equinoise.studies.advice import advise

__version__ = "0.1.0"

__all__ = [
    "Diagnosis",
    "Ensemble",
    "EquinoiseError",
    "NoiseModel",
    "Problem",
    "advise",
    "aligned_rates",
    "circuits",
    "diagnose",
    "expectation",
    "find_symmetries",
    "free_angles",
    "gradient",
    "gradient_variance",
    "law",
    "learn",
    "lie_algebraic_check",
    "lie_algebraic_variance",
    "load_circuit",
    "mitigation",
    "studies",
    "symmetry",
]


def __getattr__(name: str) -> Any:
    """``learn`` needs scikit-learn, ``mitigation`` Qiskit's transpiler: imported when they are asked for."""
    if name in ("learn", "mitigation"):
        import importlib

        return importlib.import_module(f"equinoise.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
