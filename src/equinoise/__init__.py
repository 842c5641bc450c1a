"""equinoise: whether the gradients of an equivariant quantum circuit survive a real device's noise, and why."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equinoise import learn, mitigation, symmetry
    from equinoise.circuit import builders as circuits
    from equinoise.coherence.law import law
    from equinoise.coherence.law_record import Law
    from equinoise.coherence.lie.lie_variance import lie_algebraic_check, lie_algebraic_variance
    from equinoise.coherence.loss.loss_law import loss_law
    from equinoise.coherence.loss.loss_law_record import LossLaw
    from equinoise.coherence.loss.loss_variance import LossVariance, loss_variance
    from equinoise.coherence.rates import aligned_rates
    from equinoise.design.design_space import DesignSpace
    from equinoise.design.model_advice import advise
    from equinoise.design.rank import rank
    from equinoise.diagnosis.beyond.extrapolation import Extrapolation, extrapolate
    from equinoise.diagnosis.diagnose import Diagnosis, diagnose
    from equinoise.engines.batch import Expectations, expectations
    from equinoise.engines.evaluate import (
        Expectation,
        Gradient,
        GradientVariance,
        expectation,
        gradient,
        gradient_variance,
    )
    from equinoise.engines.loss_gradient import LossGradient, loss_gradient
    from equinoise.ensemble import Ensemble
    from equinoise.errors import EquinoiseError
    from equinoise.evidence.frame.reproduce import reproduce
    from equinoise.model.qnn import Model
    from equinoise.noise.model import NoiseModel
    from equinoise.noise.terms.coherent import Coherent
    from equinoise.noise.terms.jump import Jump
    from equinoise.problem import Problem
    from equinoise.reduction.symmetry_search import find_symmetries
    from equinoise.sampling import Sampling
    from equinoise.sources import free_angles, load_circuit
    from equinoise.sweeps.sweep import sweep

__version__ = "0.1.0"

__all__ = [
    "Coherent",
    "DesignSpace",
    "Diagnosis",
    "Ensemble",
    "EquinoiseError",
    "Expectation",
    "Expectations",
    "Extrapolation",
    "Gradient",
    "GradientVariance",
    "Jump",
    "Law",
    "LossGradient",
    "LossLaw",
    "LossVariance",
    "Model",
    "NoiseModel",
    "Problem",
    "Sampling",
    "advise",
    "aligned_rates",
    "circuits",
    "diagnose",
    "expectation",
    "expectations",
    "extrapolate",
    "find_symmetries",
    "free_angles",
    "gradient",
    "gradient_variance",
    "law",
    "learn",
    "lie_algebraic_check",
    "lie_algebraic_variance",
    "load_circuit",
    "loss_gradient",
    "loss_law",
    "loss_variance",
    "mitigation",
    "rank",
    "reproduce",
    "sweep",
    "symmetry",
]

# where each name lives: a module, or what it holds; loaded when it is first asked for
_HOMES = {
    "Coherent": "noise.terms.coherent:Coherent",
    "DesignSpace": "design.design_space:DesignSpace",
    "Diagnosis": "diagnosis.diagnose:Diagnosis",
    "Ensemble": "ensemble:Ensemble",
    "EquinoiseError": "errors:EquinoiseError",
    "Expectation": "engines.evaluate:Expectation",
    "Expectations": "engines.batch:Expectations",
    "Extrapolation": "diagnosis.beyond.extrapolation:Extrapolation",
    "Gradient": "engines.evaluate:Gradient",
    "GradientVariance": "engines.evaluate:GradientVariance",
    "Jump": "noise.terms.jump:Jump",
    "Law": "coherence.law_record:Law",
    "LossGradient": "engines.loss_gradient:LossGradient",
    "LossLaw": "coherence.loss.loss_law_record:LossLaw",
    "LossVariance": "coherence.loss.loss_variance:LossVariance",
    "Model": "model.qnn:Model",
    "NoiseModel": "noise.model:NoiseModel",
    "Problem": "problem:Problem",
    "Sampling": "sampling:Sampling",
    "advise": "design.model_advice:advise",
    "aligned_rates": "coherence.rates:aligned_rates",
    "circuits": "circuit.builders",
    "diagnose": "diagnosis.diagnose:diagnose",
    "expectation": "engines.evaluate:expectation",
    "expectations": "engines.batch:expectations",
    "extrapolate": "diagnosis.beyond.extrapolation:extrapolate",
    "find_symmetries": "reduction.symmetry_search:find_symmetries",
    "free_angles": "sources:free_angles",
    "gradient": "engines.evaluate:gradient",
    "gradient_variance": "engines.evaluate:gradient_variance",
    "law": "coherence.law:law",
    "learn": "learn",
    "lie_algebraic_check": "coherence.lie.lie_variance:lie_algebraic_check",
    "lie_algebraic_variance": "coherence.lie.lie_variance:lie_algebraic_variance",
    "load_circuit": "sources:load_circuit",
    "loss_gradient": "engines.loss_gradient:loss_gradient",
    "loss_law": "coherence.loss.loss_law:loss_law",
    "loss_variance": "coherence.loss.loss_variance:loss_variance",
    "mitigation": "mitigation",
    "rank": "design.rank:rank",
    "reproduce": "evidence.frame.reproduce:reproduce",
    "sweep": "sweeps.sweep:sweep",
    "symmetry": "symmetry",
}


def __getattr__(name: str) -> Any:
    """Loads a public name: ``import equinoise`` itself imports neither Qiskit nor numba."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    found = importlib.import_module(f"{__name__}.{module}")
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
