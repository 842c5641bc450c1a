"""What placing a circuit on a device costs, for many layouts at once: each block compiled once, then tables by site.

With T_l the time that layer l takes, a site has T_l/T1 of relaxation and (T_l/2)(1/T2 - 1/(2 T1)) of dephasing, and
each block the depolarizing that its calibrated errors leave; see :mod:`equinoise.device.calibration`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from equinoise.device.gate_fidelity import known_number, left_by_depolarizing, rate_of, stated, thermal_fidelity
from equinoise.device.native import VIRTUAL, Block, Compiler, blocks_of
from equinoise.errors import DeviceError
from equinoise.readout import support

if TYPE_CHECKING:
    from equinoise.circuit.layers import Layer
    from equinoise.device.snapshots import Calibration

__all__ = ["SiteRates", "Weight"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Weight = Callable[[int, str, tuple[int, ...]], float]
"""What a unit of rate costs: of (layer, mechanism "down", "dephasing" or "depolarizing", circuit qubits)."""


class SiteRates:
    """The rates that placing gives, by site, for a circuit's blocks.

    What the calibration does not state counts as the worst that it states of that kind, so that an uncalibrated qubit
    or coupler does not look noiseless.

    Args:
        circuit: The circuit.
        layers: Its layers.
        calibration: The device; its own layout is ignored.
        couplers: Coupled pairs of sites that may be used.
        compiler: Of the same circuit and device, so that no block is compiled twice.
    """

    def __init__(
        self,
        circuit: QuantumCircuit,
        layers: Sequence[Layer],
        calibration: Calibration,
        couplers: Sequence[tuple[int, int]],
        compiler: Compiler | None = None,
    ) -> None:
        self._target = calibration.target
        self._compiler = compiler or Compiler(circuit, calibration)
        known = [(a, b) if a is not None and b is not None else (None, None) for a, b in _times(calibration)]
        self._t1 = _filled([a for a, _ in known], np.min, np.inf)
        self._t2 = _filled([b for _, b in known], np.min, np.inf)
        # Per second: populations decay at 1/T1, coherences at 1/T2 = 1/(2 T1) + 2 x the rate of D[Z].
        self.decay, self.dephasing = 1 / self._t1, 0.5 * (1 / self._t2 - 0.5 / self._t1)
        wrong = [None if errors is None else sum(errors) for errors in calibration.readout_error]
        self.read_right = 1 - _filled(wrong, np.max, 0.0)
        total = calibration.num_qubits
        self._sites = np.arange(total)[:, None]
        self._pairs = np.array([one for a, b in couplers for one in ((a, b), (b, a))], dtype=np.int64).reshape(-1, 2)
        # the last entry of every table stands for places that are none
        self._number = np.full((total, total), -1, dtype=np.int64)
        self._number[self._pairs[:, 0], self._pairs[:, 1]] = np.arange(len(self._pairs))
        self._known: dict[Any, tuple[Real, Real]] = {}
        tables: dict[Any, tuple[Real, Real]] = {}
        seen: set[int] = set()
        self.layers: list[list[tuple[tuple[int, ...], Real, Real]]] = []
        for layer in layers:
            rows = []
            for block in blocks_of(layer, seen):
                key = (len(block.qubits), self._compiler.structure(block) or id(block))
                if key not in tables:
                    tables[key] = self._table(block)
                rows.append((block.qubits, *tables[key]))
            self.layers.append(rows)

    def cone(
        self, readout: SparsePauliOp | None, num_qubits: int
    ) -> tuple[tuple[int, ...], tuple[frozenset[int], ...]]:
        """The circuit qubits of a readout's backward cone through the blocks, and those it sees in each noise slot.

        None stands for a readout on every qubit.
        """
        now = set(range(num_qubits) if readout is None else support(readout))
        seen = []
        for rows in reversed(self.layers):
            seen.append(frozenset(now))
            for qubits, _, _ in reversed(rows):
                if not now.isdisjoint(qubits):
                    now |= set(qubits)
        return tuple(sorted(now)), tuple(reversed(seen))

    def kappa(self, layouts: Index, seen: Sequence[frozenset[int]], weight: Weight) -> Real:
        """Sum of rate x weight over the noise that is seen, shape (M,); infinite where a block cannot run.

        Args:
            layouts: Physical qubit of each circuit qubit, shape (M, n); -1, in the same columns of every row, for
                qubits left out.
            seen: Per layer, the circuit qubits whose noise counts.
            weight: Of a unit of rate in each place.
        """
        kappa = np.zeros(len(layouts))
        placed = layouts[0] >= 0 if len(layouts) else np.zeros(layouts.shape[1], dtype=bool)
        for number, (rows, there) in enumerate(zip(self.layers, seen, strict=True)):
            clock = np.zeros(layouts.shape)
            for qubits, excess, duration in rows:
                if not placed[list(qubits)].all():
                    continue
                where = (
                    layouts[:, qubits[0]] if len(qubits) == 1 else self._number[tuple(layouts[:, q] for q in qubits)]
                )
                before = clock[:, list(qubits)]
                for j, q in enumerate(qubits):
                    clock[:, q] = np.max([before[:, i] + duration[j, i, where] for i in range(len(qubits))], axis=0)
                inside = tuple(q for q in sorted(qubits) if q in there)
                rate = excess[where]
                lost = np.where(np.isfinite(rate), rate, 0.0) * (
                    weight(number, "depolarizing", inside) if inside else 0
                )
                kappa += np.where(np.isfinite(rate), lost, np.inf)
            # Every qubit waits for the slowest one of its layer, so T1 and T2 act on each for the layer's whole
            # duration.
            longest = clock.max(axis=1)
            for q in sorted(there):
                site = layouts[:, q]
                thermal = weight(number, "down", (q,)) * self.decay[site]
                thermal = thermal + weight(number, "dephasing", (q,)) * self.dephasing[site]
                with np.errstate(invalid="ignore"):
                    kappa += longest * thermal
        return np.where(np.isnan(kappa), np.inf, kappa)

    def log_read(self, layouts: Index, readout: SparsePauliOp | None) -> Real:
        """Ln of what assignment errors leave of a gradient, the RMS over the readout's terms; shape (M,)."""
        if readout is None:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(np.log(np.maximum(self.read_right[layouts], 0.0)).sum(axis=1))
        # Assignment errors p01, p10 leave 1 - p01 - p10 of each Z: a string keeps their product. Squares add over the
        # terms, as the variances of their gradients do where these are independent.
        factor = np.zeros(len(layouts))
        terms = [(qubits, abs(complex(c)) ** 2) for _, qubits, c in readout.to_sparse_list() if qubits]
        for qubits, weight in terms:
            factor += weight * np.prod([self.read_right[layouts[:, q]] ** 2 for q in qubits], axis=0)
        with np.errstate(divide="ignore"):
            return np.asarray(0.5 * np.log(factor / sum(weight for _, weight in terms)))

    def _table(self, block: Block) -> tuple[Real, Real]:
        """A block's depolarizing rate, shape (places + 1,), and durations; infinite where it cannot run.

        The duration (s), shape (w, w, places + 1), is a max-plus matrix in front: how much later than input i output j
        is done, -infinity if j does not wait for i. Places of equal native gates share one compilation.
        """
        width = len(block.qubits)
        places = self._sites if width == 1 else self._pairs
        excess = np.full(len(places) + 1, np.inf)
        duration = np.full((width, width, len(places) + 1), np.inf)
        alike: dict[Any, list[int]] = {}
        for index, place in enumerate(places):
            alike.setdefault(self._compiler.gate_set(tuple(map(int, place))), []).append(index)
        for members in alike.values():
            try:
                native = self._compiler.native(block, tuple(map(int, places[members[0]])))
            except DeviceError:  # no translation there
                continue
            # A gate starts when the last of its qubits is free: in the algebra of max and +, each gate is a matrix and
            # the block their product, so one table serves whatever the inputs' times are.
            clock = np.full((width, width, len(members)), -np.inf)
            clock[range(width), range(width)] = 0.0
            errors = []
            for name, local, length in native:
                error, lasts = (column[members] for column in self._stated(name, local, width))
                errors.append((len(local), error))
                clock[list(local)] = clock[list(local)].max(axis=0) + (length or lasts)
            duration[:, :, members] = clock
            sites = places[members]
            during = clock.max(axis=(0, 1))
            thermal = np.prod([thermal_fidelity(self._t1[q], self._t2[q], during) for q in sites.T], axis=0)
            excess[members] = rate_of(left_by_depolarizing(errors, thermal, width))
        return excess, duration

    def _stated(self, name: str, local: tuple[int, ...], width: int) -> tuple[Real, Real]:
        """Error and duration (s) of a native gate in every place."""
        key = (name, local, width)
        if key not in self._known:
            places = self._sites if width == 1 else self._pairs
            found = [stated(self._target, name, tuple(int(place[q]) for q in local)) for place in places]
            worst = (lambda _: 0.0) if name in VIRTUAL else np.max
            error = _filled([known_number(one, "error") for one in found], worst, 0.0)
            self._known[key] = error, _filled([known_number(one, "duration") for one in found], worst, 0.0)
        return self._known[key]


def _times(calibration: Calibration) -> list[tuple[float | None, float | None]]:
    return list(zip(calibration.t1, calibration.t2, strict=True))


def _filled(values: Sequence[float | None], worst: Any, nothing: float) -> Real:
    """The values with the worst in the place of those that are not stated; ``nothing`` where none is."""
    known = [value for value in values if value is not None]
    fill = float(worst(known)) if known else nothing
    return np.array([fill if value is None else value for value in values], dtype=np.float64)
