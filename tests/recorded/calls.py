"""Calls of the public surface over engines, noises, symmetries and mitigations, as named functions to plain numbers.

``python -m recorded.calls`` in tests/ writes the results that test_recorded_results.py holds every later version to. It
is run again only where a number changes on purpose, and the commit says which and why.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from qiskit.quantum_info import SparsePauliOp, Statevector

import equinoise as eq

__all__ = ["RECORD", "calls", "plain"]

RECORD = Path(__file__).parent / "results.json"
Numbers = dict[str, Any]

NOISES: dict[str, Any] = {
    "none": None,
    "dephasing": "dephasing:0.05",
    "collective": "collective:0.03",
    "relaxation": "relaxation:down=0.04,up=0.01",
    "depolarizing": "depolarizing:0.03",
    "mixed": "dephasing:0.02+relaxation:0.01+depolarizing:0.01",
    "pair": {
        "depolarizing": [{"qubits": [1, 2], "rate": 0.05}],
        "dephasing": [{"rate": 0.02, "weights": {0: 1, 3: -1}}],
    },
    "parity": {
        "pauli": [{"pauli": "Z0Z2", "rate": 0.04}, {"pauli": "X1", "rate": 0.02}, {"pauli": "Y1", "rate": 0.02}]
    },
    "flips": {"pauli": [{"pauli": "X2", "rate": 0.03}, {"pauli": "Y0Z1", "rate": 0.01}]},
    "static": "static:0.03",
    "drift": {"dephasing": [{"rate": 0.03, "weights": "each", "correlation": 2.0}]},
}
READOUTS = {"Z": "Z2", "hop": "X1X2+Y1Y2", "sum": "Z1+0.5*Z2-0.3*Z1Z2"}
SYMMETRIC_NOISES = ("none", "dephasing", "collective", "relaxation", "depolarizing")


def _problem(noise: str, readout: str = "Z", n: int = 4, depth: int = 4, **options: Any) -> eq.Problem:
    circuit = eq.circuits.brickwork(n, depth=depth)
    return eq.Problem(circuit, READOUTS.get(readout, readout), options.pop("initial", "neel"), NOISES[noise], **options)


def _free(noise: str) -> eq.Problem:
    return eq.Problem(eq.circuits.brickwork(6, depth=4, interaction="none"), "Z2+0.3*Z3", "neel", NOISES[noise])


def _symmetric(family: str, noise: str) -> eq.Problem:
    mean = SparsePauliOp.from_sparse_list([("Z", [q], 0.25) for q in range(4)], 4)
    built = {
        "permutation": (eq.circuits.permutation_equivariant(4, 2), mean, "0000"),
        "su2": (eq.circuits.exchange(4, 3), "X1X2+Y1Y2+Z1Z2", "0101"),
        "parity": (eq.circuits.parity_conserving(4, 3), "Z1", "0000"),
        "translation": (eq.circuits.translation_invariant(4, 2), mean, "0000"),
    }
    circuit, readout, initial = built[family]
    return eq.Problem(circuit, readout, initial, NOISES[noise], symmetry=family)


def _theta(problem: eq.Problem, seed: int = 7) -> Any:
    return np.random.default_rng(seed).uniform(-math.pi, math.pi, len(problem.parameters))


# -- results as numbers ----------------------------------------------------------------------------------------------


def _gradient(problem: eq.Problem, engine: str, scale: float = 1.0, **options: Any) -> Numbers:
    found = eq.gradient(problem, _theta(problem), scale, engine, **options)
    return {"value": found.value, "gradient": found.gradient, "error": found.standard_error}


def _expectation(problem: eq.Problem, engine: str, scale: float = 1.0, **options: Any) -> Numbers:
    found = eq.expectation(problem, _theta(problem), scale, engine, **options)
    return {"value": found.value, "shot_variance": found.shot_variance, "error": found.standard_error}


def _variance(problem: eq.Problem, sampling: eq.Sampling) -> Numbers:
    found = eq.gradient_variance(problem, scales=(0.0, 0.5, 1.0, 4.0), sampling=sampling)
    return {"variance": found.variance, "survival": found.survival, "per_parameter": found.per_parameter}


def _law(problem: eq.Problem, engine: str, samples: int = 6) -> Numbers:
    found = eq.law(problem, sampling=eq.Sampling(samples=samples, seed=3, engine=engine))
    return {
        "variance": found.variance,
        "kappa": found.kappa,
        "w0": found.fixed_point_share,
        "second_moment": found.second_moment,
        "c2": found.rate_variance,
        "lasting": found.lasting_share,
        "budget": [entry.kappa for entry in found.budget],
        "per_parameter": found.kappa_per_parameter,
        "survival": found.survival([0.5, 1.0, 4.0]),
        "greatest_rate": found.certificate.greatest_rate,
        "proved": float(found.certificate.proved),
        "purity": found.fixed_point.purity,
        "commutator": found.fixed_point.commutator,
    }


def _diagnosis(problem: eq.Problem) -> Numbers:
    found = eq.diagnose(problem, sampling=eq.Sampling(samples=6, seed=5), depth=False)
    return {
        "noiseless": found.noiseless_rms,
        "survival": found.simulated.survival,
        "rms": found.simulated.rms_gradient,
        "kappa": found.law.kappa,
        "curve": [point.survival for point in found.curve],
        "shot_variance": found.resources.shot_variance,
        "resolved": found.resources.resolved_rms,
        "readout_factor": found.resources.readout_factor,
        "shots": found.resources.shots_per_gradient,
    }


def _verified(problem: eq.Problem) -> Numbers:
    found = eq.mitigation.verify(problem, _theta(problem))
    return {"value": found.value, "kept": found.kept, "gradient": found.gradient, "kept_gradient": found.kept_gradient}


def _verified_law(problem: eq.Problem) -> Numbers:
    found = eq.mitigation.verified_law(problem, sampling=eq.Sampling(samples=4, seed=1))
    return {"kept": found.kept, "plain": found.plain.kappa, "verified": found.verified.kappa}


def _decoupled(problem: eq.Problem, sequence: str) -> Numbers:
    durations = {"xx_plus_yy": 2e-7, "rzz": 2e-7, "rz": 5e-8}
    found = eq.mitigation.decouple(problem, sequence, durations=durations)
    compared = eq.mitigation.compare(found, sampling=eq.Sampling(samples=4, seed=2))
    return {"kappa": compared.kappa, "survival": compared.survival, "gain": compared.gain}


def _lie(problem: eq.Problem) -> Numbers:
    found = eq.lie_algebraic_variance(problem)
    return {"variance": found.variance}


def _aligned(problem: eq.Problem) -> Numbers:
    found = eq.aligned_rates(problem, sampling=eq.Sampling(samples=4, seed=1))
    return {"alpha": found.alpha, "kappa": found.kappa}


# -- the list ----------------------------------------------------------------------------------------------------------


def calls() -> Iterator[tuple[str, Callable[[], Numbers]]]:
    """Every call with its name."""
    white = [name for name in NOISES if name not in ("static", "drift")]
    for noise, readout in itertools.product(white, READOUTS):
        broken = {"allow_broken": True} if noise == "flips" else {}
        p = lambda noise=noise, readout=readout, broken=broken: _problem(noise, readout, **broken)  # noqa: E731
        yield f"gradient exact {noise} {readout}", lambda p=p: _gradient(p(), "exact")
        yield f"gradient exact {noise} {readout} s=inf", lambda p=p: _gradient(p(), "exact", math.inf)
        yield f"expectation exact {noise} {readout}", lambda p=p: _expectation(p(), "exact", 0.7)
        yield f"law exact {noise} {readout}", lambda p=p: _law(p(), "exact")
        if noise != "flips":
            yield f"law state-vector {noise} {readout}", lambda p=p: _law(p(), "state-vector", 4)
            yield f"gradient trajectories {noise} {readout}", lambda p=p: _gradient(p(), "trajectories", trajectories=8)
    for noise in ("static", "drift"):
        p = lambda noise=noise: _problem(noise)  # noqa: E731
        yield f"law trajectories {noise}", lambda p=p: _law(p(), "trajectories", 4)
        yield f"law state-vector {noise}", lambda p=p: _law(p(), "state-vector", 4)
        yield f"gradient trajectories {noise}", lambda p=p: _gradient(p(), "trajectories", trajectories=8)
    for noise in ("dephasing", "collective", "mixed", "pair", "parity"):
        p = lambda noise=noise: _problem(noise, n=6, depth=3)  # noqa: E731
        yield f"variance replica {noise}", lambda p=p: _variance(p(), eq.Sampling(engine="replica"))
        yield f"law replica {noise}", lambda p=p: _law(p(), "replica")
        yield f"variance exact {noise}", lambda p=p: _variance(p(), eq.Sampling(samples=4, seed=1, engine="exact"))
        yield f"diagnose {noise}", lambda p=p: _diagnosis(p())
        yield f"verify {noise}", lambda p=p: _verified(p())
        yield f"verified law {noise}", lambda p=p: _verified_law(p())
        yield f"projected {noise}", lambda noise=noise: _gradient(_problem(noise, projected=True), "exact")
        yield f"entangled {noise}", lambda noise=noise: _gradient(_entangled(noise), "exact")
        yield f"product {noise}", lambda noise=noise: _gradient(_problem(noise, initial=_plus(4)), "exact")
    for noise in ("dephasing", "collective", "drift"):
        yield f"decouple XY4 {noise}", lambda noise=noise: _decoupled(_problem(noise, depth=6), "XY4")
    yield "lie variance", lambda: _lie(_problem("none", n=3, depth=1, readout="Z1"))
    for noise in ("none", "dephasing", "collective"):
        p = lambda noise=noise: _free(noise)  # noqa: E731
        yield f"gradient free-fermion {noise}", lambda p=p: _gradient(p(), "free-fermion")
        yield f"law free-fermion {noise}", lambda p=p: _law(p(), "free-fermion")
        if noise != "none":
            yield f"aligned rates {noise}", lambda p=p: _aligned(p())
    for family, noise in itertools.product(("permutation", "su2", "parity", "translation"), SYMMETRIC_NOISES):
        p = lambda family=family, noise=noise: _symmetric(family, noise)  # noqa: E731
        engines = ("permutation", "commutant") if family == "permutation" else ("commutant",)
        for engine in engines:
            yield f"gradient {engine} {family} {noise}", lambda p=p, e=engine: _gradient(p(), e)
            yield f"law {engine} {family} {noise}", lambda p=p, e=engine: _law(p(), e, 3)
        yield f"law exact {family} {noise}", lambda p=p: _law(p(), "exact", 3)
    for name in ("torino", "brisbane"):
        p = lambda name=name: eq.Problem(eq.circuits.brickwork(4, depth=3), "Z2", "neel", f"ibm:{name}")  # noqa: E731
        yield f"law ibm:{name}", lambda p=p: _law(p(), "exact")
        yield f"diagnose ibm:{name}", lambda p=p: _diagnosis(p())


def _entangled(noise: str) -> eq.Problem:
    state = np.zeros(16, dtype=complex)
    state[[3, 5, 9, 12]] = [0.5, 0.5j, -0.5, 0.5]
    return _problem(noise, initial=Statevector(state))


def _plus(n: int) -> Any:
    angles = np.linspace(0.3, 1.2, n)
    return np.stack([np.cos(angles), np.exp(0.4j) * np.sin(angles)], axis=1)


def plain(value: Any) -> Any:
    """Numbers for JSON; infinities and NaN by name."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(entry) for entry in value]
    number = float(value)
    return number if math.isfinite(number) else repr(number)


if __name__ == "__main__":
    RECORD.write_text(json.dumps({name: plain(call()) for name, call in calls()}, indent=0) + "\n", encoding="utf-8")
