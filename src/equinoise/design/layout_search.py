"""Where to place a circuit on a device so that its gradient survives: layouts ranked by the law's budget.

The score of a layout is exp(-s kappa) x what assignment errors leave, kappa = sum of rate x sensitivity
(:mod:`equinoise.design.sensitivity`) with the rates that the device's calibration gives this layout. One simulation of
the bare circuit serves all layouts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.coherence.resummed import leading_order_survival
from equinoise.design.sensitivity import Sensitivities, readout_factor, sensitivities
from equinoise.device.embedding import extend, find_embeddings
from equinoise.device.gate_fidelity import process_fidelity
from equinoise.device.placement import completed, couplers_of, vf2_layout
from equinoise.device.site_rates import SiteRates
from equinoise.errors import DeviceError, NoiseError
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem
from equinoise.reduction.light_cone import light_cone
from equinoise.sampling import Sampling

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

    from equinoise.device.snapshots import Calibration

__all__ = ["LayoutSearch", "Placement", "best_layouts", "log_scores", "qiskit_layout"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

_MOST_CANDIDATES = 20_000
# placements beyond those asked for whose noise is placed too: the table's compiled blocks can differ from theirs by a
# native gate or two
_SPARE = 6


@dataclass(frozen=True)
class Placement:
    """One layout and what the law predicts for it.

    Attributes:
        layout: Physical qubit of each circuit qubit.
        kappa: At the stated noise, from the sensitivities.
        kappa_error: Standard error over the draws.
        readout_factor: What assignment errors leave of the gradient.
        predicted: exp(-s kappa) x readout_factor.
        noise: The placed noise, as :class:`equinoise.Problem` takes it.
    """

    layout: tuple[int, ...]
    kappa: float
    kappa_error: float
    readout_factor: float
    predicted: float
    noise: NoiseModel = field(repr=False, compare=False)


@dataclass(frozen=True)
class LayoutSearch:
    """The layouts of a circuit on a device, ranked by what the law predicts to survive.

    Attributes:
        device: Its name.
        best: The best placements, best first.
        spread: Placements from the best candidate to the worst, for checks.
        default: What Qiskit's VF2Layout chooses; None where it finds none.
        candidates: Number of places of the light cone that were scored.
        complete: Whether these are all that there are (without SWAPs, on calibrated qubits).
        scale: Noise scale s of ``predicted``.
        sensitivities: What the score was computed from.
        notes: What was left out.
    """

    device: str
    best: tuple[Placement, ...]
    spread: tuple[Placement, ...]
    default: Placement | None
    candidates: int
    complete: bool
    scale: float
    sensitivities: Sensitivities = field(repr=False)
    notes: tuple[str, ...] = ()


def best_layouts(
    problem: Problem,
    device: str | BackendV2 | NoiseModel,
    *,
    count: int = 5,
    spread: int = 0,
    scale: float = 1.0,
    sampling: Sampling | None = None,
    limit: int = _MOST_CANDIDATES,
    known: Sensitivities | None = None,
) -> LayoutSearch:
    """The layouts without SWAPs of which the law predicts the largest gradient, exp(-s kappa) x readout factor.

    Places of the light cone are enumerated (all of them up to ``limit``, else a random sample), scored by a dot product
    and completed in the order of their score; the qubits outside the cone must fit, and count only by how long they
    make a layer. Sites without T1, T2 or readout error and couplers without a stated error are not used.

    Args:
        problem: Circuit, readout and input; its noise is not looked at.
        device: A snapshot's name, a backend, or a ``NoiseModel`` that holds a device's calibration and nothing else.
        count: Number of placements wanted.
        spread: Number of further placements, from the best candidate to the worst.
        scale: Noise scale s.
        sampling: As for :func:`sensitivities`; its seed is also that of the sample of candidates.
        limit: Greatest number of candidates.
        known: Sensitivities of this circuit, readout, input and ensemble computed before.

    Raises:
        DeviceError: Unknown device, or the circuit fits nowhere without SWAPs.
        NoiseError: A noise model without a calibration, or with noise beside it.
        EquinoiseError: As :func:`equinoise.law`.

    Example:
        >>> import equinoise as eq
        >>> from qiskit.providers.fake_provider import GenericBackendV2
        >>> from equinoise.design.layout_search import best_layouts
        >>> backend = GenericBackendV2(5, coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]], seed=1)
        >>> problem = eq.Problem(eq.circuits.brickwork(3, depth=2), "Z1", "neel")
        >>> found = best_layouts(problem, backend, sampling=eq.Sampling(samples=4))
        >>> found.candidates, found.complete
        (6, True)
    """
    model, calibration = _device_model(device)
    sampling, bare = sampling or Sampling(), problem.with_noise(None)
    notes: list[str] = []
    candidates = _candidates(bare, calibration, limit, sampling.seed, notes)
    known = known or sensitivities(bare, sampling=sampling)
    score = partial(log_scores, candidates.rates, readout=bare.readout, known=known, scale=scale)
    placed = partial(_placed, bare, model, calibration, known, scale)
    best = [placed(layout) for layout in candidates.highest(score, count + _SPARE)]
    default = _default(bare, calibration, placed, notes)
    if default is not None and default.layout not in {one.layout for one in best}:
        # it may be one that a sample of the candidates missed, if it lacks no calibration
        best += [default] if set(default.layout) <= set(candidates.sites) else []
    best.sort(key=lambda one: -one.predicted)
    return LayoutSearch(
        device=model.name,
        best=tuple(best[:count]),
        spread=tuple(placed(layout) for layout in candidates.spread(score, spread)),
        default=default,
        candidates=len(candidates.places),
        complete=candidates.complete,
        scale=scale,
        sensitivities=known,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Candidates:
    """The places of a circuit's light cone on a device, and what is needed to complete and score them."""

    problem: Problem
    calibration: Calibration
    rates: SiteRates
    pairs: set[tuple[int, int]]
    cone: tuple[int, ...]
    sites: list[int]
    couplers: list[tuple[int, int]]
    places: Sequence[tuple[int, ...]]
    complete: bool

    def highest(self, score: Callable[[Index], Real], count: int) -> list[tuple[int, ...]]:
        """The completed layouts of highest score, highest first."""
        n = self.problem.num_qubits
        done = completed(self.places, self.cone, n, score, sorted(self.pairs), self.couplers, self.sites, count)
        if not done:
            raise _no_place(self.problem, self.calibration, len(self.pairs), False)
        return [layout for _, layout in done[:count]]

    def spread(self, score: Callable[[Index], Real], count: int) -> list[tuple[int, ...]]:
        """Completed layouts at even distances in the order of the scores, from the best to the worst."""
        if not count:
            return []
        n = self.problem.num_qubits
        scores = score(_whole(self.places, self.cone, n))
        order = [int(i) for i in np.argsort(-scores, kind="stable") if np.isfinite(scores[i])]
        out: list[tuple[int, ...]] = []
        for i in np.unique(np.linspace(0, len(order) - 1, count).round().astype(int)):
            place = dict(zip(self.cone, self.places[order[i]], strict=True))
            out += extend(place, range(n), self.pairs, self.couplers, self.sites)
        return out


def _candidates(problem: Problem, calibration: Calibration, limit: int, seed: int, notes: list[str]) -> _Candidates:
    sites, couplers = _usable(calibration, notes)
    rates = SiteRates(problem.circuit, problem.layers, calibration, couplers)
    pairs = _pairs(problem)
    cone = tuple(light_cone(problem).qubits)
    whole = find_embeddings(range(problem.num_qubits), pairs, couplers, sites, 1, seed)
    if whole.complete and not whole.places:
        raise _no_place(problem, calibration, len(pairs), True)
    found = find_embeddings(cone, pairs, couplers, sites, limit, seed)
    if not found.places:
        raise _no_place(problem, calibration, len(pairs), found.complete)
    return _Candidates(problem, calibration, rates, pairs, cone, sites, couplers, found.places, found.complete)


def _placed(
    bare: Problem,
    noise: NoiseModel,
    calibration: Calibration,
    known: Sensitivities,
    scale: float,
    layout: tuple[int, ...],
) -> Placement:
    """What the law predicts where the device's noise acts as placed in this layout."""
    problem = bare.with_noise(replace(noise, calibration=replace(calibration, layout=layout)))
    kappa, error = known.kappa(problem.slots)
    factor = readout_factor(problem.readout, problem.noise.readout_error)
    return Placement(layout, kappa, error, factor, float(leading_order_survival(scale, kappa)) * factor, problem.noise)


def _default(
    bare: Problem, calibration: Calibration, placed: Callable[[tuple[int, ...]], Placement], notes: list[str]
) -> Placement | None:
    try:
        return placed(qiskit_layout(bare, calibration))
    except DeviceError as error:
        notes.append(f"Qiskit's VF2Layout places nothing: {error}")
        return None


def qiskit_layout(problem: Problem, calibration: Calibration) -> tuple[int, ...]:
    """The layout that Qiskit's VF2Layout chooses for a circuit by coupler errors, T1 and T2.

    Args:
        problem: Holds the circuit.
        calibration: The device's; its own layout is ignored.

    Raises:
        DeviceError: It finds none without SWAPs.
    """
    found = vf2_layout(calibration, problem.circuit, problem.layers)
    if found is None:
        raise _no_place(problem, calibration, len(_pairs(problem)), False)
    return found


def _device_model(device: str | BackendV2 | NoiseModel) -> tuple[NoiseModel, Calibration]:
    if isinstance(device, NoiseModel):
        model = device
    elif isinstance(device, str):
        from equinoise.device.snapshots import snapshot

        model = NoiseModel.from_backend(snapshot(device))
    else:
        model = NoiseModel.from_backend(device)
    if model.terms:
        raise NoiseError(
            f"a layout is searched for a device's calibration alone; {model.name} has other terms beside it. They do "
            "not depend on the layout: leave them out of the search."
        )
    if model.calibration is None:
        raise NoiseError("best_layouts needs a noise model that holds a device's calibration (NoiseModel.from_backend)")
    return model, model.calibration


def _usable(calibration: Calibration, notes: list[str]) -> tuple[list[int], list[tuple[int, int]]]:
    """Sites and couplers with a full calibration; what lacks one would look noiseless."""
    known = zip(calibration.t1, calibration.t2, calibration.readout_error, strict=True)
    sites = [q for q, values in enumerate(known) if None not in values]
    errors = couplers_of(calibration.target)
    couplers = [pair for pair, error in errors.items() if error > 0 and process_fidelity(error, 4) > 1 / 16]
    if len(sites) < calibration.num_qubits:
        notes.append(f"{calibration.num_qubits - len(sites)} qubits without T1, T2 or readout error are not used")
    if len(couplers) < len(errors):
        notes.append(f"{len(errors) - len(couplers)} couplers broken or without a stated error are not used")
    return sites, couplers


def _pairs(problem: Problem) -> set[tuple[int, int]]:
    """Circuit qubits that meet in a gate."""
    return {(min(g.qubits), max(g.qubits)) for layer in problem.layers for g in layer.gates if len(g.qubits) == 2}


def _no_place(problem: Problem, calibration: Calibration, pairs: int, proved: bool) -> DeviceError:
    return DeviceError(
        f"the circuit ({problem.num_qubits} qubits, {pairs} interacting pairs) has no place on {calibration.name} "
        f"({calibration.num_qubits} qubits) without SWAP gates"
        + (": its interaction graph is not part of the coupling map" if proved else ": none was found in the search")
        + ". Take a family that fits (a line, or the device's own couplers), or route it first with qiskit.transpile."
    )


def _whole(places: Sequence[tuple[int, ...]], cone: Sequence[int], num_qubits: int) -> Index:
    """Places of the cone as layouts with -1 for the other qubits, shape (M, n)."""
    out = np.full((len(places), num_qubits), -1, dtype=np.int64)
    out[:, list(cone)] = np.array(places)
    return out


def log_scores(rates: SiteRates, layouts: Index, readout: SparsePauliOp, known: Sensitivities, scale: float) -> Real:
    """-s kappa + ln(readout factor) of layouts of shape (M, n); sites of -1 are left out. Shape (M,).

    Args:
        rates: Of circuit and device.
        layouts: Physical qubit of each circuit qubit.
        readout: What is read.
        known: The sensitivities that weigh the rates.
        scale: Noise scale s.
    """
    mean = known.mean

    def weight(*place: Any) -> float:
        column = known.columns.get(place)
        return 0.0 if column is None else float(mean[column])

    score = rates.log_read(layouts, readout) - scale * rates.kappa(layouts, known.seen, weight)
    return np.where(np.isfinite(score), score, -np.inf)
