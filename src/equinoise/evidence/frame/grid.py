"""The grid that studies share: circuits, inputs, readouts and channel families; and one case's law and survival.

The law's inputs (kappa, m2, w0) and the exact survival come from the same draws, so that their difference is the law's
and not the sample's.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import Statevector

from equinoise.circuit.builders import brickwork
from equinoise.coherence.bounds import Certificate, certificate
from equinoise.coherence.resummed import lasting_share, rate_variance
from equinoise.engines.commutant.commutant import CommutantEngine
from equinoise.engines.draws import parallel_draws
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.select import exact_engine, select_engine
from equinoise.engines.spin.permutation import PermutationEngine
from equinoise.ensemble import Ensemble
from equinoise.errors import ParameterError
from equinoise.evidence.frame.study import Context
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import ALL, EACH, Dephasing, Depolarizing, Relaxation
from equinoise.problem import Problem
from equinoise.table import Value

__all__ = [
    "DEPHASING",
    "DEVICE",
    "FAMILIES",
    "Case",
    "Measured",
    "Survival",
    "cases",
    "coefficient_of_determination",
    "device_available",
    "draws_per_case",
    "evaluate",
    "evaluate_all",
    "in_parallel",
    "make_noise",
    "measure",
    "x_grid",
]

Real = npt.NDArray[np.float64]

DEPHASING = (
    "local",
    "inhomogeneous",
    "collective",
    "nearly collective",
    "staggered",
    "pair-correlated",
    "gradient",
    "single-site",
)
"""Families of diagonal dephasing."""

DEVICE = "device ibm:torino"
FAMILIES = (*DEPHASING, "damping", "thermal", "depolarizing", "combination", DEVICE)
"""All channel families; "thermal" is damping with heating."""

"""Okabe and Ito's palette, told apart by colour-blind readers."""

_INPUTS = ("neel", "dicke", "product")
_READOUTS = ("Z", "ZZ", "hopping")
_WIDTHS = (6, 7, 8, 6)
_RATE = 0.05
_UNTOUCHED = 1e-9


def x_grid(quick: bool) -> Real:
    """Accumulated variable x = s kappa of the exact points, evenly spaced in their logarithm from 0.003 to 6."""
    return np.geomspace(0.003, 6.0, 8 if quick else 10)


def draws_per_case(quick: bool) -> int:
    """Draws of each case of the grid; studies that share the grid share its draws."""
    return 12 if quick else 24


@dataclass(frozen=True)
class Case:
    """A circuit, input, readout and channel family.

    Attributes:
        family: One of :data:`FAMILIES`.
        depth: Layers of the brickwork.
        num_qubits: n.
        initial: "neel", "dicke" (charge n // 2, or 2 beyond eight qubits), "dilute" (basis state of charge 2) or
            "product" (every charge).
        readout: "Z", "ZZ" or "hopping", in the middle of the line.
        projected: Whether the readout is projected on one sector.
        member: Which channel of the family.
        shared: One parameter per layer and kind of gate.
    """

    family: str
    depth: int
    num_qubits: int
    initial: str
    readout: str
    projected: bool = False
    member: int = 0
    shared: bool = False

    @property
    def label(self) -> str:
        """All of it in words; names the case's draws."""
        extra = ("/projected" if self.projected else "") + ("/shared" if self.shared else "")
        where = f"n={self.num_qubits}/L={self.depth}/{self.initial}/{self.readout}{extra}"
        return f"{self.family}.{self.member}/{where}"

    @property
    def charge(self) -> int:
        """The active sector."""
        return 2 if self.num_qubits > 8 else self.num_qubits // 2

    def problem(self, noise: NoiseModel | None = None) -> Problem:
        """The problem; ``noise`` in place of the family's."""
        n = self.num_qubits
        several = self.initial == "product"
        return Problem(
            brickwork(n, self.depth, shared=self.shared),
            readout=_readout(self.readout, n),
            initial=_initial(self.initial, n, self.charge),
            noise=make_noise(self.family, n, self.member) if noise is None else noise,
            projected=self.projected,
            charge=self.charge if several and self.projected else None,
        )


def _readout(kind: str, n: int) -> str:
    a, b = n // 2 - 1, n // 2
    labels = {"Z": f"Z{b}", "ZZ": f"Z{a}Z{b}", "hopping": f"X{a}X{b}+Y{a}Y{b}"}
    return labels[kind]


def _initial(kind: str, n: int, charge: int) -> Any:
    if kind == "neel":
        return "neel"
    if kind == "dilute":
        return "".join("1" if q in (n // 2 - 1, n // 2 + 2) else "0" for q in reversed(range(n)))
    if kind == "dicke":
        weight = np.bitwise_count(np.arange(2**n, dtype=np.uint64))
        amplitudes = (weight == charge).astype(np.complex128)
        return Statevector(amplitudes / np.linalg.norm(amplitudes))
    if kind == "product":
        angle = math.pi / 2 + 0.9 * np.cos(1.0 + 2.3 * np.arange(n))
        phase = np.exp(1j * 0.7 * np.arange(n))
        return np.stack([np.cos(angle / 2).astype(np.complex128), np.sin(angle / 2) * phase], axis=1)
    raise ParameterError(f"no input {kind!r}; choose neel, dilute, dicke or product.")


# -- channels ----------------------------------------------------------------------------------------------------------

_devices: dict[str, NoiseModel] = {}


def device_available() -> bool:
    """Whether the device snapshots (the ``ibm`` extra) are installed."""
    return importlib.util.find_spec("qiskit_ibm_runtime") is not None


def make_noise(family: str, num_qubits: int, member: int = 0) -> NoiseModel:
    """A channel of a family on n qubits; ``member`` numbers the family's channels.

    Random members depend on the family, n and member alone.

    Raises:
        ParameterError: No such family.
    """
    n = num_qubits
    rng = np.random.default_rng([FAMILIES.index(family) if family in FAMILIES else 0, n, member])
    sites = range(n)
    bonds = [(i, i + 1) for i in range(n - 1)]
    r = _RATE
    if family == "local":
        return NoiseModel(dephasing=[Dephasing(r, EACH)], name=family)
    if family == "inhomogeneous":
        rates = r * np.exp(rng.normal(0.0, 1.0, n))
        return NoiseModel(dephasing=[_jump({q: 1.0}, rates[q]) for q in sites], name=family)
    if family == "collective":
        return NoiseModel(dephasing=[Dephasing(r, ALL)], name=family)
    if family == "nearly collective":
        imperfect = 1.0 + (0.03, 0.1, 0.3)[member % 3] * rng.normal(0.0, 1.0, n)
        return NoiseModel(dephasing=[_jump(dict(enumerate(imperfect)), r)], name=family)
    if family == "staggered":
        return NoiseModel(dephasing=[_jump({q: (-1.0) ** q for q in sites}, r)], name=family)
    if family == "pair-correlated":
        sign = (1.0, -1.0)[member % 2]
        return NoiseModel(dephasing=[_jump({a: 1.0, b: sign}, r) for a, b in bonds], name=family)
    if family == "gradient":
        return NoiseModel(dephasing=[_jump({q: q - (n - 1) / 2 for q in sites}, r)], name=family)
    if family == "single-site":
        site = n // 2 - 1 + member % 3
        return NoiseModel(dephasing=[_jump({site: 1.0}, r)], name=family)
    if family == "damping":
        return NoiseModel(relaxation=[Relaxation(EACH, down=r)], name=family)
    if family == "thermal":
        return NoiseModel(relaxation=[Relaxation(EACH, down=r, up=(0.1, 0.5)[member % 2] * r)], name=family)
    if family == "depolarizing":
        if member % 2:
            return NoiseModel(depolarizing=[Depolarizing((a, b), r) for a, b in bonds], name=family)
        return NoiseModel(depolarizing=[Depolarizing(EACH, r)], name=family)
    if family == "combination":
        damping = [Relaxation(EACH, down=r)]
        collective = [Dephasing(2 * r, ALL)]
        depolarizing = [Depolarizing(EACH, r / 2)]
        return (
            NoiseModel(dephasing=[Dephasing(r, EACH)], relaxation=damping, name=family),
            NoiseModel(dephasing=collective, relaxation=damping, depolarizing=depolarizing, name=family),
            NoiseModel(dephasing=[*collective, Dephasing(r, EACH)], depolarizing=depolarizing, name=family),
        )[member % 3]
    if family == DEVICE:
        name = family.removeprefix("device ")
        if name not in _devices:
            _devices[name] = NoiseModel.from_string(name)
        return _devices[name]
    raise ParameterError(f"no channel family {family!r}; choose from: {', '.join(FAMILIES)}.")


def _jump(weights: dict[int, float], rate: float) -> Dephasing:
    return Dephasing(float(rate), tuple((q, float(w)) for q, w in sorted(weights.items())))


# -- cases -------------------------------------------------------------------------------------------------------------


def cases(quick: bool, families: Sequence[str] = FAMILIES) -> list[Case]:
    """The grid: per family, depths 3 to 8, three inputs and three readouts; widths, members and projection in turn.

    Dephasing comes with ten qubits and inputs of charge 2 as well. The quick set holds depths 3 and 6 and a third of
    the combinations. A device that is not installed is left out.
    """
    out: list[Case] = []
    for number, family in enumerate(FAMILIES):
        if family not in families or (family == DEVICE and not device_available()):
            continue
        # `turn` goes round widths, members and projection; the offset gives families different ones
        for turn, (depth, initial, readout) in enumerate(
            itertools.product((3, 6) if quick else range(3, 9), _INPUTS, _READOUTS), start=number
        ):
            # a Latin square of inputs and readouts: each family sees every one of both
            if quick and (_INPUTS.index(initial) + _READOUTS.index(readout) + depth + number) % 3:
                continue
            n = 6 if quick else _WIDTHS[turn % len(_WIDTHS)]
            projected = turn % 5 < 2
            member = turn + depth
            out.append(Case(family, depth, n, initial, readout, projected, member % 6))
            if not quick and initial == "neel" and family in DEPHASING:
                out.append(Case(family, depth, 10, ("dilute", "dicke")[turn % 2], readout, False, member % 6))
    return out


# -- one case ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """One problem: the law's inputs and the exact survival, from the same draws.

    Attributes:
        samples: Number of draws, S.
        variance: V(0).
        kappa: Aligned coherence rate summed over slots.
        share: w0 = V(inf)/V(0).
        second_moment: m2.
        lasting: w0 as the law uses it.
        rate_variance: c2.
        width: Qubits in the cone.
        parameters: Parameters in the cone.
        noise_class: "strong", "weak", ...
        certificate: Whether the bounds are proved here, and Gmax (of coherences).
        scales: Noise scales s, shape (m,).
        exact: R(s) = sqrt(V(s)/V(0)), shape (m,).
        squares: sum_k g_k^2 per draw at s = 0, shape (S,).
        slopes: sum_k g_k g'_k per draw, shape (S,).
        frozen: sum_k g_k^2 per draw at s = infinity, shape (S,).
        noisy: sum_k g_k^2 per draw and scale, shape (S, m).
    """

    samples: int
    variance: float
    kappa: float
    share: float
    second_moment: float
    lasting: float
    rate_variance: float
    width: int
    parameters: int
    noise_class: str
    certificate: Certificate
    scales: Real
    exact: Real
    squares: Real = field(repr=False)
    slopes: Real = field(repr=False)
    frozen: Real = field(repr=False)
    noisy: Real = field(repr=False)

    @property
    def untouched(self) -> bool:
        """Whether nothing decays: w0 = 1."""
        return abs(1.0 - self.share) < _UNTOUCHED


@dataclass(frozen=True)
class Survival(Measured):
    """One case of the grid, measured.

    Attributes:
        case: Which case.
    """

    case: Case

    def columns(self) -> dict[str, Value]:
        """What describes the case, for a table's rows."""
        c = self.case
        return {
            "case": c.label,
            "family": c.family,
            "member": c.member,
            "depth": c.depth,
            "qubits": c.num_qubits,
            "cone": self.width,
            "initial": c.initial,
            "readout": c.readout,
            "projected": c.projected,
            "samples": self.samples,
            "variance": self.variance,
            "kappa": self.kappa,
            "w0": self.share,
            "m2": self.second_moment,
            "c2": self.rate_variance,
        }


def evaluate(
    case: Case,
    samples: int,
    seed: int,
    x: Sequence[float] | Real,
    *,
    ensemble: Ensemble | None = None,
    problem: Problem | None = None,
    scales: Sequence[float] | Real | None = None,
) -> Survival:
    """One case at the scales s = x / kappa, one draw at a time.

    Args:
        case: The case.
        samples: Number of draws.
        seed: Of the draws.
        x: Accumulated variable of the exact points; with kappa = 0 (nothing decays) s = x / 0.05 is used instead.
        ensemble: Of the parameters; uniform by default.
        problem: In place of ``case.problem()``.
        scales: Noise scales in place of x / kappa.
    """
    found = measure(case.problem() if problem is None else problem, samples, seed, x, ensemble=ensemble, scales=scales)
    return Survival(case=case, **vars(found))


def measure(
    problem: Problem,
    samples: int,
    seed: int,
    x: Sequence[float] | Real = (),
    *,
    ensemble: Ensemble | None = None,
    scales: Sequence[float] | Real | None = None,
) -> Measured:
    """One problem of any symmetry, as :func:`evaluate` does a case; its engine must be exact."""
    law_ensemble = ensemble or Ensemble()
    engine: ExactEngine | CommutantEngine | PermutationEngine
    if problem.by_charge:
        engine = exact_engine(problem, workers=1)
    else:
        engine = cast(CommutantEngine | PermutationEngine, select_engine(problem, workers=1))
    thetas = law_ensemble.draw(problem, samples, seed)
    series = np.stack([engine.series(theta) for theta in thetas])
    g0, g1, g2 = series[:, 0], series[:, 1], series[:, 2]
    squares, slopes = (g0**2).sum(axis=1), (g0 * g1).sum(axis=1)
    frozen = np.array([_square(engine.draw(theta, math.inf).gradient) for theta in thetas])
    variance = float(squares.mean())
    kappa = float(-slopes.mean() / variance) + 0.0
    share = float(frozen.mean() / variance)
    moment = float((g1**2 + 2 * g0 * g2).sum(axis=1).mean() / (2 * variance))
    lasting = lasting_share(kappa, moment, share, dephasing=engine.program.dephases_only)
    touched = abs(1.0 - share) >= _UNTOUCHED
    if scales is None:
        scales = np.asarray(x) / (abs(kappa) if touched else _RATE)
    wanted = np.asarray(scales, dtype=np.float64)
    noisy = np.array([[_square(engine.draw(theta, float(s)).gradient) for s in wanted] for theta in thetas])
    return Measured(
        samples=len(thetas),
        variance=variance,
        kappa=kappa,
        share=share,
        second_moment=moment,
        lasting=lasting,
        rate_variance=rate_variance(kappa, moment, lasting),
        width=engine.program.width,
        parameters=len(engine.program.parameters),
        noise_class=engine.program.noise_class,
        certificate=certificate(engine.program, law_ensemble),
        scales=wanted,
        exact=np.sqrt(noisy.mean(axis=0) / variance),
        squares=squares,
        slopes=slopes,
        frozen=frozen,
        noisy=noisy,
    )


def _square(gradient: Real) -> float:
    return float(gradient @ gradient)


_known: dict[tuple[Case, int, int, tuple[float, ...]], Survival] = {}


def evaluate_all(
    chosen: Sequence[Case], context: Context, samples: int | None = None, x: Sequence[float] | Real | None = None
) -> list[Survival]:
    """Every case, several at once; each case's seed depends on the study's seed and the case's label alone.

    Results are kept in memory: a second study on the same cases and draws does not repeat them.

    Args:
        chosen: The cases.
        context: Size, seed and workers.
        samples: Draws per case; :func:`draws_per_case` by default.
        x: Accumulated variable of the exact points; :func:`x_grid` by default.
    """
    points = tuple(float(v) for v in (x_grid(context.quick) if x is None else x))
    count = draws_per_case(context.quick) if samples is None else samples
    keys = [(case, count, context.seed_for("grid", case.label), points) for case in chosen]
    missing = [key for key in dict.fromkeys(keys) if key not in _known]
    if any(case.family == DEVICE for case, *_ in missing):
        make_noise(DEVICE, 2)  # the snapshot is read once, before the threads start
    _known.update(zip(missing, in_parallel(lambda key: evaluate(*key), missing, context), strict=True))
    return [_known[key] for key in keys]


def in_parallel(function: Callable[[Any], Any], items: Sequence[Any], context: Context) -> list[Any]:
    """function(item) for each item, in order, ``context.workers`` at once, with progress."""
    done = itertools.count(1)
    return parallel_draws(
        function, items, context.workers or os.cpu_count() or 1, lambda _: context.tick(next(done), len(items))
    )


def coefficient_of_determination(predicted: npt.ArrayLike, exact: npt.ArrayLike) -> float:
    """R^2 = 1 - sum (exact - predicted)^2 / sum (exact - mean exact)^2; NaN without spread.

    Example:
        >>> from equinoise.evidence.frame.grid import coefficient_of_determination
        >>> coefficient_of_determination([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
        0.5
    """
    seen = np.asarray(exact, dtype=np.float64)
    miss = seen - np.asarray(predicted, dtype=np.float64)
    spread = float(np.sum((seen - seen.mean()) ** 2)) if seen.size else 0.0
    return 1.0 - float(np.sum(miss**2)) / spread if spread > 0 else math.nan
