"""What could be changed about a problem: other readouts, less depth, another place, better calibration, fewer shots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.coherence.rates import BudgetEntry
from equinoise.diagnosis.repetition import repeated, repetition
from equinoise.errors import EquinoiseError, SymmetryError
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import NoiseTerm
from equinoise.problem import Problem
from equinoise.sampling import Sampling

__all__ = [
    "Change",
    "better_calibration",
    "elsewhere_read",
    "fewer_layers",
    "needed_parameters",
    "other_layout",
    "pulses_on_idle_qubits",
    "whole_register",
]

Real = npt.NDArray[np.float64]

# what a better qubit or gate is taken to be: the same noise at half the rate
_IMPROVEMENT = 0.5
# seconds that a two-qubit gate is taken to last; only ratios count
_SLOT = 1e-6
# parameters that together hold this share of the squared gradient are worth their shots
_KEPT_SHARE = 0.99


@dataclass(frozen=True)
class Change:
    """A change of the problem that can be simulated like the problem itself.

    Attributes:
        kind: "readout", "depth", "layout", "decoupling" or "calibration".
        change: What to do, in words.
        build: Makes the changed problem.
        cost: What it costs besides; empty if nothing.
        predicted: Factor in gradient per shot that is known without a draw of the changed problem; None if it is not.
    """

    kind: str
    change: str
    build: Callable[[], Problem]
    cost: str = ""
    predicted: float | None = None


def elsewhere_read(problem: Problem, most: int) -> Iterator[Change]:
    """The same readout on other qubits: every shift that stays on the register, nearest first.

    Args:
        problem: The problem.
        most: Number of shifts at most.
    """
    terms = problem.readout.to_sparse_list()
    used = [q for _, qubits, _ in terms for q in qubits]
    n = problem.num_qubits
    shifts = sorted((s for s in range(-min(used), n - max(used)) if s), key=lambda s: (abs(s), s))
    for shift in shifts[:most]:
        moved = [(letters, [q + shift for q in qubits], c) for letters, qubits, c in terms]
        try:
            other = problem.with_operator(SparsePauliOp.from_sparse_list(moved, num_qubits=n))
        except SymmetryError:  # neither it nor the input keeps the symmetry
            continue
        change = f"read {other.readout_label} instead of {problem.readout_label}"
        yield Change("readout", change, lambda other=other: other, "another observable under the model")  # type: ignore[misc]


def fewer_layers(problem: Problem) -> Iterator[Change]:
    """The same circuit with one repetition fewer, and with half of them, where its layers repeat."""
    how = repetition(problem)
    if how is None:
        return
    depth, period = len(problem.layers), how.period
    whole = (depth - how.ends) // period
    for shorter in dict.fromkeys((depth - period, depth - (whole - whole // 2) * period)):
        if how.ends < shorter < depth:
            other = repeated(problem, shorter, how)
            lost = len(problem.parameters) - len(other.parameters)
            cost = f"expressivity ({lost} fewer parameters)"
            yield Change("depth", f"{shorter} layers instead of {depth}", lambda other=other: other, cost)  # type: ignore[misc]


def better_calibration(problem: Problem, budget: tuple[BudgetEntry, ...], scale: float, most: int) -> Iterator[Change]:
    """The costliest mechanisms on one qubit or pair at half their rate, all slots together.

    kappa is linear in the rates, so that halving a group gains exp(s kappa_group / 2) to leading order.

    Args:
        problem: The problem.
        budget: kappa's additive parts.
        scale: Noise scale s.
        most: Number of groups.
    """
    groups: dict[tuple[str, tuple[int, ...]], float] = {}
    for entry in budget:
        key = (entry.mechanism, entry.qubits)
        groups[key] = groups.get(key, 0.0) + entry.kappa
    found = 0
    for (mechanism, qubits), kappa in sorted(groups.items(), key=lambda item: -item[1]):
        model = _weakened(problem, mechanism, qubits)
        if kappa <= 0 or found == most:
            return
        if model is None:  # part of a wider term, that no single qubit or gate is to blame for
            continue
        found += 1
        where = f"qubit {qubits[0]}" if len(qubits) == 1 else f"qubits {', '.join(map(str, qubits))}"
        what = {
            "dephasing": f"half the dephasing of {where} (twice its pure dephasing time)",
            "relaxation": f"half the relaxation of {where} (twice its T1)",
            "depolarizing": f"half the depolarizing of {where} (gate errors)",
        }.get(mechanism, f"half the {mechanism} noise of {where}")
        yield Change(
            "calibration",
            what,
            lambda model=model: problem.with_noise(model),  # type: ignore[misc]
            "a better qubit or gate",
            float(np.exp(min(50.0, scale * kappa * (1 - _IMPROVEMENT)))),
        )


def _weakened(problem: Problem, mechanism: str, qubits: tuple[int, ...]) -> NoiseModel | None:
    """The placed noise with one mechanism on exactly these qubits at half its rate; None if no term is that."""
    changed = False

    def weaker(term: NoiseTerm) -> NoiseTerm:
        nonlocal changed
        if term.kind != mechanism or tuple(sorted(term.sites)) != tuple(sorted(qubits)):
            return term
        changed = True
        return term.scaled(_IMPROVEMENT)

    n = problem.num_qubits
    terms = tuple(weaker(one) for term in problem.noise.terms for one in term.expanded(n))
    return replace(problem.noise, terms=terms) if changed else None


def other_layout(problem: Problem, scale: float, sampling: Sampling) -> tuple[Change | None, str]:
    """The layout on the problem's device of which the law predicts the largest gradient.

    Args:
        problem: The problem; its stated noise may hold a device's calibration, and other terms beside it.
        scale: Noise scale s.
        sampling: As for :func:`equinoise.design.layout_search.best_layouts`.

    Returns:
        The change, or None with the reason.
    """
    from equinoise.design.layout_search import best_layouts  # not at import: it loads Qiskit's transpiler

    stated = problem.stated_noise
    if stated.calibration is None:
        return None, "the noise is not a device's: there is no layout to choose"
    if not problem.by_charge:
        return None, f"layouts are scored in sectors of the charge; the symmetry here is {problem.symmetry}"
    alone = NoiseModel(calibration=replace(stated.calibration, layout=None), name=stated.name)
    try:
        bare = Problem(problem.circuit, problem.measured, initial=problem.stated_initial)
        found = best_layouts(bare, alone, count=1, scale=scale, sampling=sampling)
    except EquinoiseError as error:
        return None, str(error)
    best = found.best[0]
    device = stated.calibration.name
    change = f"layout {', '.join(map(str, best.layout))} on {device}"

    def build() -> Problem:
        calibration = replace(alone.calibration, layout=best.layout) if alone.calibration else None
        return problem.with_noise(replace(stated, calibration=calibration))

    return Change("layout", change, build), f"the best of {found.candidates} places"


def pulses_on_idle_qubits(problem: Problem) -> tuple[Change | None, str]:
    """XY4 on the idle qubits of each layer, where some noise is correlated in time.

    With the durations and pulse errors of the problem's device. Without a device durations are relative (gates on two
    qubits take a slot, those on one no time) and pulses instantaneous and perfect, so that the gain is the most that
    decoupling can give; :func:`equinoise.mitigation.decoupling.decoupling.decouple` takes real ones.

    Returns:
        The change, or None with the reason.
    """
    from equinoise.mitigation.decoupling.decoupling import decouple  # not at import: it loads Qiskit's transpiler

    if not problem.processes:
        return None, "no noise is correlated in time, and white noise leaves nothing to gain by pulses"
    gates = [gate for layer in problem.layers for gate in layer.gates]
    durations: Any = {gate.name: _SLOT if len(gate.qubits) == 2 else 0.0 for gate in gates}
    cost = "pulses, taken as perfect and instantaneous"
    if problem.stated_noise.calibration is not None:
        durations, cost = problem.stated_noise, "pulses, with the device's durations and errors"
    try:
        found = decouple(problem, "XY4", durations=durations)
    except EquinoiseError as error:
        return None, str(error)
    if not found.pulses:
        return None, "; ".join(found.notes) or "no qubit is idle for long enough"
    change = f"XY4 on idle qubits, {len(found.pulses)} pulses"
    return Change("decoupling", change, lambda: found.decoupled, cost), ""


def whole_register(problem: Problem) -> Problem:
    """The problem with all qubits in the cone, as post-selection on the charge of all of them needs it."""
    return problem.with_projection()


def needed_parameters(per_parameter: Real) -> tuple[npt.NDArray[np.bool_], float]:
    """The fewest parameters that hold 99 % of the mean squared gradient, and the share that they hold.

    Args:
        per_parameter: E g_k^2, shape (K,).

    Example:
        >>> import numpy as np
        >>> worth, share = needed_parameters(np.array([1.0, 0.0, 1.0]))
        >>> worth.tolist(), share
        ([True, False, True], 1.0)
    """
    order = np.argsort(-per_parameter, kind="stable")
    total = float(per_parameter.sum())
    worth = np.zeros(len(per_parameter), dtype=bool)
    if total <= 0:
        return ~worth, 1.0
    shares = np.cumsum(per_parameter[order]) / total
    count = int(np.searchsorted(shares, _KEPT_SHARE - 1e-12)) + 1
    worth[order[:count]] = True
    return worth, float(shares[count - 1])
