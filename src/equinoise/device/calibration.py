"""A device's calibration as the noise terms of a circuit laid out on that device.

For a layer of duration T the qubit with times T1, T2 gets ``Relaxation(down=T/T1)`` and ``Dephasing(rate)`` with K = Z
and rate = (T/2) (1/T2 - 1/(2 T1)), so that its coherence falls by exp(-2 rate) exp(-T/(2 T1)) = exp(-T/T2). What the
calibrated gate errors hold beyond this thermal part becomes ``Depolarizing`` on the block's qubits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from equinoise.device.gate_fidelity import known_number, left_by_depolarizing, rate_of, stated, thermal_fidelity
from equinoise.device.native import VIRTUAL, Block, Compiler, blocks_of
from equinoise.device.placement import LayoutChoice, choose_layout, couplers_of
from equinoise.errors import DeviceError
from equinoise.noise.terms import Dephasing, Depolarizing, Relaxation

if TYPE_CHECKING:
    from equinoise.circuit.layers import Layer
    from equinoise.device.snapshots import Calibration
    from equinoise.noise.model import NoiseModel

__all__ = ["Tally", "TimedGate", "advance", "kept_in_place", "layout_for", "place"]


def place(
    model: NoiseModel, circuit: QuantumCircuit, layers: Sequence[Layer], readout: SparsePauliOp | None = None
) -> NoiseModel:
    """The model with its device calibration turned into terms for this circuit's layers.

    Every layer is compiled block by block to native gates (virtual Z rotations cost nothing) and scheduled as soon as
    possible; its duration T gives each circuit qubit, idle ones included, relaxation down = T/T1 (up = 0: the
    excited-state population is not in a calibration) and dephasing (T/2)(1/T2 - 1/(2 T1)). A block on d dimensions has
    the calibrated process fidelity F = product of ((d_g + 1)(1 - r_g) - 1)/d_g over its native gates g of average error
    r_g; its depolarizing rate -ln e solves e F_thermal + (1 - e)/d^2 = F, F_thermal the process fidelity of the thermal
    noise during the block's own duration.

    Approximate: all noise of a layer acts after it; gates of different layers or blocks are not merged when compiling;
    free angles are compiled at generic values; crosstalk and coherent errors are not in a calibration.

    Args:
        model: A model with a calibration; one without is returned as it is.
        circuit: The circuit, parameters free or bound.
        layers: Its layers; ``gates`` of each have position (in ``circuit.data``), name and qubits.
        readout: What is read, for the choice of a layout; None: every qubit counts.

    Returns:
        The model without calibration: terms with ``layers=(l,)`` beside its other terms, readout errors on circuit
        qubits (the model's own win), where it was placed, and notes on that and on what was missing.

    Raises:
        DeviceError: No layout without SWAPs, a layout of the wrong length or with gates on uncoupled qubits, a gate on
            more than two qubits or without native translation, a calibrated error so large that no rate gives it, or
            gates for which the calibration gives no noise at all.
    """
    calibration = model.calibration
    if calibration is None:
        return model
    seen: set[int] = set()
    blocks = [blocks_of(layer, seen) for layer in layers]
    compiler = Compiler(circuit, calibration)
    choice = layout_for(calibration, circuit, layers, readout, compiler)
    layout = choice.layout
    tally = Tally(calibration)
    terms: dict[str, list[Any]] = {"dephasing": [], "relaxation": [], "depolarizing": []}
    durations = []
    for index, members in enumerate(blocks):
        clock: dict[int, float] = {}
        for block in members:
            physical = tuple(layout[q] for q in block.qubits)
            native = compiler.native(block, physical)
            gates = [
                (tuple(physical[q] for q in local), *tally.look_up(name, local, physical, length))
                for name, local, length in native
            ]
            rate = tally.excess(block, physical, gates)
            if rate > 0:
                terms["depolarizing"].append(Depolarizing(block.qubits, rate, layers=(index,)))
            advance(clock, gates)
        durations.append(max(clock.values(), default=0.0))
        for qubit, site in enumerate(layout):
            t1, t2 = calibration.t1[site], calibration.t2[site]
            if t1 is None or t2 is None or durations[-1] == 0:
                continue
            # exp(-T/T1) on populations is down = T/T1; of exp(-T/T2) on coherences relaxation gives exp(-T/(2 T1)),
            # and D[Z] at this rate the rest, exp(-2 rate).
            down, dephasing = durations[-1] / t1, durations[-1] / 2 * (1 / t2 - 1 / (2 * t1))
            if down > 0:
                terms["relaxation"].append(Relaxation(qubit, down=down, layers=(index,)))
            if dephasing > 0:
                terms["dephasing"].append(Dephasing(dephasing, ((qubit, 1.0),), layers=(index,)))
    measured = {q: calibration.readout_error[site] for q, site in enumerate(layout)}
    known = {q: errors for q, errors in measured.items() if errors is not None}
    if tally.physical and not any(terms.values()) and not any(sum(errors) for errors in known.values()):
        raise DeviceError(
            f"{calibration.name} gives this circuit no noise on physical qubits {', '.join(map(str, layout))}: "
            f"{'; '.join(tally.notes()) or 'T1, T2 and all errors are missing or 0 there'}. "
            'Give another layout=[...], or the noise itself, e.g. noise="depolarizing:0.003".'
        )
    # once placed, what the calibration says of other qubits is of no concern
    stated = set(calibration.notes)
    placed = (*(note for note in model.notes if note not in stated), *calibration.notes_on(layout))
    return replace(
        model,
        terms=(*model.terms, *itertools.chain(*terms.values())),
        calibration=None,
        readout_error=tuple((known | dict(model.readout_error)).items()),
        notes=(*placed, *_notes(calibration, choice, durations), *tally.notes()),
        placement=choice,
    )


def layout_for(
    calibration: Calibration,
    circuit: QuantumCircuit,
    layers: Sequence[Layer],
    readout: SparsePauliOp | None = None,
    compiler: Compiler | None = None,
) -> LayoutChoice:
    """The layout that was given, checked against the couplers, or else the one chosen for circuit and readout.

    Raises:
        DeviceError: As :func:`place`.
    """
    if calibration.layout is None:
        return choose_layout(calibration, circuit, layers, readout, compiler or Compiler(circuit, calibration))
    couplers = couplers_of(calibration.target)
    layout = calibration.layout
    if len(layout) != circuit.num_qubits:
        raise DeviceError(
            f"layout lists {len(layout)} physical qubits, but the circuit has {circuit.num_qubits} qubits. "
            "Give one physical qubit per circuit qubit, or layout=None to have one chosen."
        )
    for gate in (gate for layer in layers for gate in layer.gates if gate.name != "barrier" and len(gate.qubits) == 2):
        a, b = gate.qubits
        if (min(layout[a], layout[b]), max(layout[a], layout[b])) not in couplers:
            raise DeviceError(
                f"the layout puts gate {gate.name!r} of circuit qubits ({a}, {b}) on physical qubits "
                f"({layout[a]}, {layout[b]}) of {calibration.name}, which are not coupled. Give another layout, "
                "layout=None to have one chosen, or route the circuit first with qiskit.transpile."
            )
    return LayoutChoice(calibration.name, layout, "given")


def kept_in_place(model: NoiseModel, layers: Sequence[Layer], num_qubits: int) -> NoiseModel:
    """The model with a layout that leaves a transpiled circuit on the device's qubits that it was transpiled to.

    Unchanged where a layout is given, or where the circuit has another number of qubits or gates off the couplers.
    """
    calibration = model.calibration
    if calibration is None or calibration.layout is not None or len(calibration.t1) != num_qubits:
        return model
    couplers = couplers_of(calibration.target)
    pairs = {tuple(sorted(gate.qubits)) for layer in layers for gate in layer.gates if len(gate.qubits) == 2}
    if not pairs <= set(couplers):
        return model
    return replace(model, calibration=replace(calibration, layout=tuple(range(num_qubits))))


TimedGate = tuple[tuple[int, ...], float, float]
"""Physical qubits, duration in seconds and average infidelity of one native gate."""


def advance(clock: dict[int, float], gates: Iterable[TimedGate]) -> None:
    """Moves each qubit's clock (s) past native gates that start as soon as their qubits are free."""
    for qubits, duration, _ in gates:
        end = max(clock.get(q, 0.0) for q in qubits) + duration
        clock.update(dict.fromkeys(qubits, end))


class Tally:
    """Gate errors and durations looked up, with a record of what was missing."""

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self.missing: dict[tuple[str, str], set[tuple[int, ...]]] = {}
        self.blocks = self.exceeded = self.physical = 0

    def look_up(
        self, name: str, local: tuple[int, ...], physical: tuple[int, ...], length: float
    ) -> tuple[float, float]:
        """Duration in seconds and average infidelity of a native gate."""
        if name == "delay":
            return length, 0.0
        qubits = tuple(physical[q] for q in local)
        known = stated(self.calibration.target, name, qubits)
        self.physical += name not in VIRTUAL
        duration, error = known_number(known, "duration"), known_number(known, "error")
        for what, value in (("duration", duration), ("error", error)):
            if value is None and name not in VIRTUAL:
                self.missing.setdefault((what, name), set()).add(qubits)
        return duration or 0.0, error or 0.0

    def excess(self, block: Block, physical: tuple[int, ...], gates: list[TimedGate]) -> float:
        """Depolarizing rate that makes up the calibrated process fidelity on top of the thermal noise."""
        clock: dict[int, float] = {}
        advance(clock, gates)
        duration = max(clock.values(), default=0.0)
        thermal = math.prod(self._thermal(q, duration) for q in physical)
        kept = float(left_by_depolarizing([(len(q), error) for q, _, error in gates], thermal, len(physical)))
        if kept <= 0:
            worst, _, error = max(gates, key=lambda gate: gate[2])
            raise DeviceError(
                f"{self.calibration.name} lists error {error:.3g} for a gate on physical qubits {list(worst)}; "
                f"with it, the block on circuit qubits {list(block.qubits)} is worse than complete depolarizing. "
                "Give a layout without these qubits, or layout=None to have one chosen."
            )
        self.blocks += bool(clock) and (duration > 0 or any(error > 0 for _, _, error in gates))
        self.exceeded += kept > 1 + 1e-12
        return float(rate_of(kept))

    def _thermal(self, site: int, duration: float) -> float:
        t1, t2 = self.calibration.t1[site], self.calibration.t2[site]
        return 1.0 if t1 is None or t2 is None else float(thermal_fidelity(t1, t2, duration))

    def notes(self) -> list[str]:
        """What was missing, and how many blocks the thermal noise alone makes worse than calibrated."""
        name = self.calibration.name
        out = [
            f"{name}: {what} of gate {gate} missing on {len(sites)} qubits or pairs: taken as 0"
            for (what, gate), sites in sorted(self.missing.items())
        ]
        if self.exceeded:
            out.append(
                f"{name}: in {self.exceeded} of {self.blocks} blocks T1 and T2 alone exceed the calibrated gate error: "
                "no depolarizing there, the total error is above the calibrated one"
            )
        return out


def _notes(calibration: Calibration, choice: LayoutChoice, durations: Sequence[float]) -> list[str]:
    name, layout = calibration.name, choice.layout
    listed = ", ".join(map(str, layout))
    span = f"{min(durations) * 1e9:.0f} to {max(durations) * 1e9:.0f} ns" if durations else "none"
    return [
        f"{name}: layout {choice.how}, physical qubits {listed} for circuit qubits 0..{len(layout) - 1}",
        f"{name}: layer durations {span}; all noise of a layer acts after it; free angles are "
        "compiled at generic values; excited-state population, crosstalk and coherent errors are not included",
    ]
