"""What each unit of noise in each place of the light cone costs the gradient: kappa = sum of rate x sensitivity.

kappa is linear in the rates. With unit-rate noise at each place of the light cone the budget is the *sensitivity*

    S_j = - E sum_k g_k d/dtheta_k <<O_l| E_j |rho_l>> / E sum_k g_k^2,      j = (slot, qubits, mechanism),

which knows circuit, readout, input and ensemble, but no device. Any placement then has kappa = sum_j rate_j S_j, with
the rates that the calibration gives it: no simulation per layout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.coherence.rates import LAW_GRADIENTS
from equinoise.coherence.sample import PairedDraws
from equinoise.engines.contract import Engine, ExactAnswers
from equinoise.engines.draws import sampled_draws
from equinoise.engines.select import choose, select_engine
from equinoise.errors import UnsupportedError
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing, Depolarizing, Relaxation, Slot
from equinoise.problem import Problem
from equinoise.reduction.light_cone import light_cone
from equinoise.sampling import Sampling

__all__ = ["Sensitivities", "first_order_budget", "readout_factor", "sensitivities"]

Real = npt.NDArray[np.float64]
Place = tuple[int, str, tuple[int, ...]]
"""Slot, mechanism ("dephasing", "down", "up", "depolarizing") and circuit qubits."""


@dataclass(frozen=True)
class Sensitivities:
    """What each unit of rate in each place costs: kappa = sum_j rate_j S_j.

    Attributes:
        columns: The column of each place: (slot, mechanism, circuit qubits), mechanism one of "dephasing", "down",
            "up", "depolarizing".
        budget: sum_k g_k g'_k by draw and place at unit rate, shape (S, places).
        square: sum_k g_k^2 by draw, shape (S,).
        seen: Per slot, the circuit qubits that the readout sees there.
        qubits: The light cone's circuit qubits.
        engine: Engine used.
        seed: Of the draws.
        ensemble: In words.
    """

    columns: dict[Place, int]
    budget: Real
    square: Real
    seen: tuple[frozenset[int], ...]
    qubits: tuple[int, ...]
    engine: str
    seed: int
    ensemble: str

    @property
    def mean(self) -> Real:
        """S_j, dimensionless, shape (places,); zeros where there is no gradient."""
        total = float(self.square.mean())
        return np.asarray(-self.budget.mean(axis=0) / total if total > 1e-300 else np.zeros(self.budget.shape[1]))

    def rates(self, slots: Sequence[Slot]) -> Real:
        """The rate in each place of a placed circuit's slots, dimensionless, shape (places,).

        Args:
            slots: One per layer, as ``Problem.slots`` has them.

        Raises:
            UnsupportedError: Noise other than dephasing and relaxation of one qubit and depolarizing of gate pairs.
        """
        out = np.zeros(len(self.columns))
        for layer, (slot, seen) in enumerate(zip(slots, self.seen, strict=True)):
            inside = slot.restricted(seen)
            found: list[tuple[str, tuple[int, ...], float]] = []
            for term in inside.terms:
                found += term.parts
            for mechanism, qubits, rate in found:
                place = (layer, mechanism, qubits)
                if place not in self.columns:
                    raise UnsupportedError(
                        f"the layout's score knows dephasing and relaxation of one qubit and depolarizing of gate "
                        f"pairs; slot {layer} has {mechanism} on qubits {list(qubits)}. Use equinoise.law for it."
                    )
                out[self.columns[place]] += rate
        return out

    def kappa(self, slots: Sequence[Slot]) -> tuple[float, float]:
        """The kappa of a placed circuit and its standard error over the draws; arguments as for :meth:`rates`."""
        total = float(self.square.mean())
        if total <= 1e-300:
            return 0.0, 0.0
        slope = self.budget @ self.rates(slots)
        found = PairedDraws({"slope": slope, "square": self.square}).ratio("slope", "square", factor=-1.0)
        return found.value, found.error


def sensitivities(problem: Problem, *, sampling: Sampling | None = None) -> Sensitivities:
    """The sensitivity S_j of kappa to a unit of rate at every place of the light cone.

    One run of the budget has dephasing, relaxation down and depolarizing of every qubit and gate pair at rate 1, a
    second one relaxation up, which the budget does not tell from relaxation down.

    Args:
        problem: The problem; its noise is not looked at.
        sampling: Draws (32 by default; those of :func:`equinoise.law` for the same seed), ensemble and engine: "exact",
            "state-vector" (sampled, with error bars), or "auto": the first if it is affordable.

    Raises:
        EquinoiseError: As :func:`equinoise.law`.

    Source:
        arXiv:2606.30688 (the aligned rate); its use for placement goes beyond it.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.design.sensitivity import sensitivities
        >>> circuit, few = eq.circuits.brickwork(4, depth=2), eq.Sampling(samples=4)
        >>> problem = eq.Problem(circuit, "Z1", initial="neel", noise="relaxation:0.01")
        >>> found = sensitivities(problem, sampling=few)
        >>> bool(abs(found.kappa(problem.slots)[0] - eq.law(problem, sampling=few).kappa) < 1e-12)
        True
    """
    sampling, bare = Sampling.of(sampling, samples=32), problem.with_noise(None)
    cone = light_cone(bare)
    dephasing: list[Dephasing] = []
    down: list[Relaxation] = []
    up: list[Relaxation] = []
    depolarizing: list[Depolarizing] = []
    for layer, seen in enumerate(cone.seen):
        for q in sorted(seen):
            dephasing.append(Dephasing(1.0, ((q, 1.0),), layers=(layer,)))
            down.append(Relaxation(q, down=1.0, layers=(layer,)))
            depolarizing.append(Depolarizing((q,), 1.0, layers=(layer,)))
            up.append(Relaxation(q, up=1.0, layers=(layer,)))
        pairs = {tuple(sorted(g.qubits)) for g in bare.layers[layer].gates if len(g.qubits) == 2}
        inside = sorted(pair for pair in pairs if seen.issuperset(pair))
        depolarizing += [Depolarizing(pair, 1.0, layers=(layer,)) for pair in inside]
    models = [NoiseModel([*dephasing, *down, *depolarizing]), NoiseModel(up)]
    problems = [bare.with_noise(model) for model in models]
    thetas, engine, workers = sampling.draw(bare), sampling.engine, sampling.workers
    if engine == "auto":
        engine, _ = choose(problems[0], workers=workers, draws=LAW_GRADIENTS * len(thetas))
        engine = "state-vector" if engine == "trajectories" else engine
    engines = [select_engine(loaded, engine, workers=workers) for loaded in problems]

    def one(theta: Real, rng: np.random.Generator) -> tuple[list[Real], list[float]]:
        found = [first_order_budget(chosen, theta, rng) for chosen in engines]
        return [budget for _, budget in found], [square for square, _ in found]

    draws = list(sampled_draws(one, thetas, sampling.seed, min(e.workers for e in engines)))
    columns: dict[Place, int] = {}
    for chosen, relaxation in zip(engines, ("down", "up"), strict=True):
        for term in chosen.program.budget_terms:
            mechanism = relaxation if term.mechanism == "relaxation" else term.mechanism
            columns[term.layer, mechanism, term.qubits] = len(columns)
    return Sensitivities(
        columns=columns,
        budget=np.stack([np.concatenate(parts) for parts, _ in draws]),
        square=np.array([squares[0] for _, squares in draws]),
        seen=cone.seen,
        qubits=cone.qubits,
        engine=engines[0].name,
        seed=sampling.seed,
        ensemble=sampling.ensemble.describe(),
    )


def first_order_budget(engine: Engine, theta: Real, rng: np.random.Generator) -> tuple[float, Real]:
    """sum_k g_k^2 and sum_k g_k g'_k by noise term of one draw, without the second moment."""
    if isinstance(engine, ExactAnswers):
        gradient = engine.draw(theta, 0.0).gradient
        return float(gradient @ gradient), engine.budget(theta, gradient)
    draw = engine.first_order(theta, rng)
    return draw.square, draw.budget


def readout_factor(readout: SparsePauliOp, errors: Iterable[tuple[int, tuple[float, float]]]) -> float:
    """What assignment errors leave of the gradient: an RMS over the readout's Pauli terms.

        f^2 = sum_P c_P^2 prod_{q in P} (1 - p01_q - p10_q)^2 / sum_P c_P^2.

    Exact where all terms have the same qubits (Z5, X2X3+Y2Y3); else the terms' gradients are taken as independent and
    equal.

    Args:
        readout: The readout.
        errors: (qubit, (p01, p10)), ...
    """
    kept = {q: 1.0 - p01 - p10 for q, (p01, p10) in errors}
    terms = readout.to_sparse_list()
    weights = np.array([abs(complex(c)) ** 2 for _, _, c in terms])
    factors = np.array([math.prod(kept.get(q, 1.0) for q in qubits) for _, qubits, _ in terms])
    alive = np.array([len(qubits) > 0 for _, qubits, _ in terms])
    return float(math.sqrt((weights * factors**2)[alive].sum() / weights[alive].sum()))
