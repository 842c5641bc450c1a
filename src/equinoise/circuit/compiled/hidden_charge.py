"""The charge that a compiled circuit hides: followed from gate to gate as one axis on each wire.

Native gates (SX, CZ and merged one-qubit gates) conserve no charge one by one, but the charge of the circuit that was
compiled stays a sum of one-qubit operators sum_q n_q . sigma_q at the ends of blocks on two wires. Its axes n_q are
found here by linear algebra, gates grouped into runs on one pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from equinoise.circuit.blocks import embed, generic_parameters
from equinoise.circuit.gates import Gate, Rotation, eigen
from equinoise.circuit.pauli_sums import PAULI
from equinoise.errors import SymmetryError

__all__ = ["HiddenCharge", "NoHiddenCharge", "Run", "hidden_charge"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# a generic point decides, as for blocks: elements that vanish there vanish everywhere, with probability 1
_POINTS = 3
_SEED = 20260630
_TOLERANCE = 1e-9

_LETTERS = np.array([PAULI[p] for p in "XYZ"])
_EYE = np.eye(2)
# first qubit least significant: axes of the first wire, then of the second; then all products of both
_ONE_BODY = np.array([*(np.kron(_EYE, p) for p in _LETTERS), *(np.kron(p, _EYE) for p in _LETTERS)])
_TWO_BODY = np.array([np.kron(q, p) for q in _LETTERS for p in _LETTERS])


class NoHiddenCharge(SymmetryError):
    """No sum of one-qubit operators is carried through the circuit; the message says which block ends it."""


@dataclass
class Run:
    """Consecutive gates on one wire or one pair: a block of the compiled circuit.

    Attributes:
        wires: One or two, ascending.
        gates: In time order; those before the run on its wires that an earlier run could not take come first.
        segment: Between which full-width barriers it stands.
        tails: While runs are made: the one-qubit gates that follow on each wire. Empty afterwards.
        after: The charge's axis on each wire after it, shape (3,), once found.
    """

    wires: tuple[int, ...]
    gates: list[Gate]
    segment: int = 0
    tails: dict[int, list[Gate]] = field(default_factory=dict)
    after: dict[int, Real] = field(default_factory=dict)

    @property
    def rotations(self) -> list[Rotation]:
        """Of all its gates."""
        return [r for gate in self.gates for r in gate.rotations]


@dataclass(frozen=True)
class HiddenCharge:
    """A sum of one-qubit operators that every block carries to another such sum, whatever the parameters.

    Attributes:
        runs: The blocks, in time order, with the axes after each.
        start: Its axis on each wire that gates act on, before the first gate: unit vectors, shape (3,).
    """

    runs: tuple[Run, ...]
    start: dict[int, Real]

    @property
    def end(self) -> dict[int, Real]:
        """Its axis on each of these wires after the last gate."""
        axes = dict(self.start)
        for run in self.runs:
            axes |= run.after
        return axes


def hidden_charge(segments: Sequence[Sequence[Gate]]) -> HiddenCharge:
    """The charge that gates conserve together, as one axis on each wire, and the blocks that carry it.

    One-qubit gates between two blocks go to the earlier one, up to the last cut at which the axis is Z; where there is
    no such cut (gates of both blocks were merged), as far as the axis behind them depends on no parameter.

    Args:
        segments: Gates between full-width barriers, in time order; a block does not reach over a barrier.

    Raises:
        NoHiddenCharge: There is none.
    """
    gates = [gate for segment in segments for gate in segment]
    wide = next((g for g in gates if any(len(r.qubits) > 2 for r in g.rotations) or len(g.qubits) > 2), None)
    if wide is not None:
        raise NoHiddenCharge(
            f"gate {wide.name!r} at position {wide.position} acts on {len(wide.qubits)} qubits; a hidden charge is "
            "looked for in blocks on at most two"
        )
    search = _Search(gates)
    for number, segment in enumerate(segments):
        search.follow(segment, number)
    return search.found()


@dataclass
class _Component:
    """Wires that blocks have joined, and the space of charges that they can still carry: x of dimension d.

    Attributes:
        start: Per wire the axis before its first gate as a linear function of x, shape (3, d).
        now: Likewise at present.
    """

    start: dict[int, Real]
    now: dict[int, Real]

    def restrict(self, basis: Real) -> None:
        """Keeps the charges x = basis y alone."""
        self.start = {w: axis @ basis for w, axis in self.start.items()}
        self.now = {w: axis @ basis for w, axis in self.now.items()}


class _Search:
    """Follows all charges that a circuit may conserve, run by run.

    At the start every axis of every wire is a possible charge. A block M joins its wires' spaces, and keeps of them
    those x for which M (A (x) 1 + 1 (x) B) M^dag has no two-body part and one-body parts that depend on no parameter:
    linear conditions on x, tested at a few generic parameter values. What is left at the end is the charge, or are
    several that are conserved at once. Nothing is assumed of signs or of the axes at the start.
    """

    def __init__(self, gates: Sequence[Gate]) -> None:
        rotations = [r for gate in gates for r in gate.rotations]
        rng = np.random.default_rng(_SEED)
        count = 1 + max((k for r in rotations for k, _ in r.angle.coefficients), default=0)
        self._theta = np.array([generic_parameters(rotations, rng, count) for _ in range(_POINTS)])
        self._component: dict[int, _Component] = {}
        self._runs: list[Run] = []
        self._steps: list[Real] = []

    def follow(self, segment: Sequence[Gate], number: int) -> None:
        """Carries the space through the gates between two barriers."""
        opened, waiting = _grouped(segment, number)
        for run in opened:
            run.gates = [*(gate for wire in run.wires for gate in waiting.pop(wire, [])), *run.gates]
            waiting |= self._through(run)
        for wire, left in sorted(waiting.items()):
            if any(gate.rotations for gate in left):
                self._through(Run((wire,), left, number))

    def found(self) -> HiddenCharge:
        """One charge out of the space that is left, of equal weight on all wires."""
        start: dict[int, Real] = {}
        for component in {id(one): one for one in self._component.values()}.values():
            x = _of_equal_weight(component)
            start |= {w: _unit(axis @ x) for w, axis in component.start.items()}
        now = dict(start)
        for run, step in zip(self._runs, self._steps, strict=True):
            axes = step @ np.concatenate([now[w] for w in run.wires])
            run.after = {w: _unit(axes[3 * i : 3 * i + 3]) for i, w in enumerate(run.wires)}
            now |= run.after
        return HiddenCharge(tuple(self._runs), start)

    def _through(self, run: Run) -> dict[int, list[Gate]]:
        """Carries the space through one run; returns the one-qubit gates behind it that belong to the next."""
        component = self._joined(run.wires)
        matrices = self._matrices(run.rotations, run.wires)
        axes = np.concatenate([component.now[w] for w in run.wires])
        if len(run.wires) == 2:
            one, two = _carried(matrices)
            axes = axes @ self._kept(component, run, (two @ axes).reshape(-1, axes.shape[1]))
        else:
            one = _turned(matrices)
        left: dict[int, list[Gate]] = {}
        for i, wire in enumerate(run.wires):
            part = one[:, 3 * i : 3 * i + 3]
            tail = run.tails.get(wire, [])
            turns = [self._matrices([], (wire,))]
            for gate in tail:
                turns.append(self._matrices(gate.rotations, (wire,)) @ turns[-1])
            behind = [_turned(turn) @ part for turn in turns]
            conditions = [((ends[1:] - ends[0]) @ axes).reshape(-1, axes.shape[1]) for ends in behind]
            spaces = [_null(condition) for condition in conditions]
            # Of the cuts that leave most: the latest of those where the axis is Z, as for circuits that conserve the
            # charge gate by gate; the latest of all where there is none.
            upright = [
                not np.any(np.abs((ends[0] @ axes @ space)[:2]) > _TOLERANCE)
                for ends, space in zip(behind, spaces, strict=True)
            ]
            best = max(range(len(spaces)), key=lambda p: (spaces[p].shape[1], upright[p], p))
            axes = axes @ self._kept(component, run, conditions[best])
            one[:, 3 * i : 3 * i + 3] = behind[best]
            run.gates += tail[:best]
            left[wire] = tail[best:]
        run.tails = {}
        ends = one[0] @ axes
        component.now |= {w: ends[3 * i : 3 * i + 3] for i, w in enumerate(run.wires)}
        self._runs.append(run)
        self._steps.append(one[0])
        return left

    def _joined(self, wires: tuple[int, ...]) -> _Component:
        parts: list[_Component] = []
        for wire in wires:
            one = self._component.setdefault(wire, _Component({wire: np.eye(3)}, {wire: np.eye(3)}))
            if not any(one is other for other in parts):
                parts.append(one)
        if len(parts) == 1:
            return parts[0]
        first, second = parts
        sizes = [next(iter(part.now.values())).shape[1] for part in parts]
        first.restrict(np.eye(sizes[0], sum(sizes)))
        second.restrict(np.eye(sizes[1], sum(sizes), sizes[0]))
        first.start |= second.start
        first.now |= second.now
        self._component |= dict.fromkeys(second.now, first)
        return first

    def _kept(self, component: _Component, run: Run, condition: Real) -> Real:
        """Restricts a component to the charges that fulfil a condition; the basis of these, shape (d, d')."""
        basis = _null(condition)
        if basis.shape[1] == basis.shape[0]:
            return basis
        values = np.linalg.svd(condition, compute_uv=False)
        component.restrict(basis)
        if basis.shape[1] == 0 or any(np.abs(axis).max() < _TOLERANCE for axis in component.start.values()):
            residual = float(values[values > _TOLERANCE].min())
            positions = sorted(gate.position for gate in run.gates)
            raise NoHiddenCharge(
                f"no charge is hidden in the circuit: the block of gates {positions[0]} to {positions[-1]} "
                f"({', '.join(sorted({gate.name for gate in run.gates}))}) on qubits {list(run.wires)} carries no sum "
                f"of one-qubit operators that the gates before it conserve to another one (residual {residual:.2g})"
            )
        return basis

    def _matrices(self, rotations: Sequence[Rotation], wires: tuple[int, ...]) -> Complex:
        """The product of rotations at the generic parameter values, shape (T, d, d)."""
        out = np.broadcast_to(np.eye(2 ** len(wires), dtype=np.complex128), (_POINTS, 2 ** len(wires), 2 ** len(wires)))
        for rotation in rotations:
            values, vectors = eigen(rotation.generator)
            angles = rotation.angle.constant + sum(c * self._theta[:, k] for k, c in rotation.angle.coefficients)
            phases = np.exp(-1j * np.outer(np.broadcast_to(angles, _POINTS), values))
            steps = (vectors * phases[:, None, :]) @ vectors.conj().T
            if len(wires) == 2 and rotation.qubits != wires:
                steps = np.array([embed(step, rotation.qubits, wires) for step in steps])
            out = steps @ out
        return np.array(out)


def _grouped(segment: Sequence[Gate], number: int) -> tuple[list[Run], dict[int, list[Gate]]]:
    """Runs of gates on one pair, with what follows on each wire, and per wire the gates before its first run."""
    opened: list[Run] = []
    last: dict[int, Run] = {}
    heads: dict[int, list[Gate]] = {}
    for gate in segment:
        if len(gate.qubits) == 1:
            (wire,) = gate.qubits
            place = last[wire].tails.setdefault(wire, []) if wire in last else heads.setdefault(wire, [])
            place.append(gate)
        elif gate.rotations:
            a, b = sorted(gate.qubits)
            run = last.get(a)
            if run is not None and run is last.get(b) and run.wires == (a, b):
                run.gates += [*run.tails.pop(a, []), *run.tails.pop(b, []), gate]
            else:
                run = last[a] = last[b] = Run((a, b), [gate], number)
                opened.append(run)
    return opened, heads


def _turned(matrices: Complex) -> Real:
    """The rotation of axes by one-qubit unitaries U: U P_j U^dag = sum_i R_ij P_i, shape (T, 3, 3)."""
    moved = matrices[:, None] @ _LETTERS @ matrices.conj().swapaxes(-1, -2)[:, None]
    return np.asarray(np.einsum("iab,tjba->tij", _LETTERS, moved).real / 2)


def _carried(matrices: Complex) -> tuple[Real, Real]:
    """M P_j M^dag of the six one-body P_j of a pair: its one-body part, (T, 6, 6), and its two-body part, (T, 9, 6)."""
    moved = matrices[:, None] @ _ONE_BODY @ matrices.conj().swapaxes(-1, -2)[:, None]
    one, two = (np.einsum("iab,tjba->tij", part, moved).real / 4 for part in (_ONE_BODY, _TWO_BODY))
    return np.asarray(one), np.asarray(two)


def _null(condition: Real) -> Real:
    """An orthonormal basis of {x: condition x = 0}, shape (d, d'); the identity where nothing is asked."""
    size = condition.shape[1]
    if np.abs(condition).max(initial=0.0) < _TOLERANCE:
        return np.eye(size)
    _, values, right = np.linalg.svd(condition)
    return np.asarray(right[int(np.sum(values > _TOLERANCE)) :].T)


def _of_equal_weight(component: _Component) -> Real:
    """A charge x whose axis has length 1 on every wire; of several the one closest to Z at the end.

    Raises:
        NoHiddenCharge: All have different weights on different wires.
    """
    # Lengths 1 are quadratic conditions x^T G_w x = 1, and hold ever after if they do at the start: M (A (x) 1 + 1 (x)
    # B) M^dag keeps its eigenvalues +-|A| +-|B|. Newton's method for them from the least squares fit to Z.
    start = np.array(list(component.start.values()))
    squares = np.einsum("wid,wie->wde", start, start)
    ends = np.concatenate(list(component.now.values()))
    fit = _closest_to_z(ends)
    if np.abs(ends @ fit).max() < _TOLERANCE:  # as many wires up as down
        fit = _closest_to_z(start.reshape(ends.shape))
    rng = np.random.default_rng(_SEED)
    scale = np.sqrt(len(start) / ends.shape[1])
    for guess in (fit, *(fit + scale * rng.normal(size=fit.size) for _ in range(8))):
        x = guess
        for _ in range(40):
            slopes = squares @ x
            misses = slopes @ x - 1
            if np.abs(misses).max() < 1e-11:
                return np.asarray(x)
            x = x - np.linalg.lstsq(2 * slopes, misses, rcond=1e-10)[0]
    raise NoHiddenCharge(
        f"what the gates conserve on qubits {sorted(component.start)} together weighs these qubits differently; "
        "equinoise counts every qubit once"
    )


def _closest_to_z(axes: Real) -> Real:
    """The x whose axes (stacked, shape (3 W, d)) are closest to Z on all wires."""
    return np.asarray(np.linalg.lstsq(axes, np.tile([0.0, 0.0, 1.0], len(axes) // 3), rcond=None)[0])


def _unit(axis: Real) -> Real:
    """The axis at length 1, without rounding errors on its zeros."""
    axis = axis / np.linalg.norm(axis)
    axis[np.abs(axis) < 1e-12] = 0.0
    return np.asarray(axis / np.linalg.norm(axis))
