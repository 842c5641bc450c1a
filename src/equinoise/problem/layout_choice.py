"""The layout of a circuit on a device: coupled pairs, their fidelities, and Qiskit's choice among placements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import CZGate, SXGate
from qiskit.transpiler import InstructionProperties, PassManager, Target
from qiskit.transpiler.passes import VF2Layout

from equinoise.errors import DeviceError

if TYPE_CHECKING:
    from equinoise.problem.devices import Calibration

__all__ = ["choose_layout", "couplers_of", "known_number", "process_fidelity", "thermal_fidelity"]

VF2_SEEDS = 12
VF2_CALLS = (100_000, 1_000_000)
"""Search steps to the first layout, and for improving it; the whole stays within seconds."""


def couplers_of(target: Target) -> dict[tuple[int, int], float]:
    """Coupled pairs and the error of their best native two-qubit gate (0 when not stated, 1 or so when broken)."""
    best: dict[tuple[int, int], float] = {}
    for name in target.operation_names:
        operation = target.operation_from_name(name)
        if not isinstance(operation, Gate) or operation.num_qubits != 2:
            continue
        entries = target[name]
        if entries is None or None in entries:  # defined for all pairs alike
            entries = {(a, b): None for a in range(target.num_qubits) for b in range(a)}
        for (a, b), known in entries.items():
            pair = (min(a, b), max(a, b))
            best[pair] = min(known_number(known, "error") or 0.0, best.get(pair, 1.0))
    return best


def known_number(known: InstructionProperties | None, what: str) -> float | None:
    """A calibrated "error" or "duration" in seconds; None where it is not stated."""
    value = getattr(known, what, None)
    return None if value is None or math.isnan(value) else float(value)


def process_fidelity(error: float, d: int) -> float:
    """F_pro = ((d + 1) F_avg - 1)/d for the average gate infidelity ``error`` = 1 - F_avg in dimension d."""
    return ((d + 1) * (1 - error) - 1) / d


def thermal_fidelity(calibration: Calibration, site: int, duration: float) -> float:
    """Process fidelity (1 + exp(-t/T1) + 2 exp(-t/T2))/4 of relaxing and dephasing for ``duration`` seconds."""
    t1, t2 = calibration.t1[site], calibration.t2[site]
    if t1 is None or t2 is None:
        return 1.0
    return (1 + math.exp(-duration / t1) + 2 * math.exp(-duration / t2)) / 4


def choose_layout(
    calibration: Calibration, num_qubits: int, pairs: Sequence[tuple[int, int]], num_layers: int
) -> tuple[int, ...]:
    """The layout without SWAPs that Qiskit's VF2Layout scores best by coupler errors, T1 and T2."""
    if num_qubits > calibration.num_qubits:
        raise DeviceError(
            f"the circuit has {num_qubits} qubits, {calibration.name} only {calibration.num_qubits}. "
            "Take a larger device (`equinoise devices` lists them) or a smaller circuit."
        )
    couplers = couplers_of(calibration.target)
    good = {pair: error for pair, error in couplers.items() if process_fidelity(error, 4) > 1 / 16}
    # The score stands for two native gates per circuit gate, and per layer idling as long as four of them.
    skeleton = QuantumCircuit(num_qubits)
    for a, b in pairs:
        skeleton.cz(a, b)
        skeleton.cz(a, b)
    for _ in range(num_layers):
        skeleton.sx(range(num_qubits))
    idle = 4 * _pair_gate_duration(calibration.target)
    sites = range(calibration.num_qubits)
    loss = {(q,): InstructionProperties(error=2 / 3 * (1 - thermal_fidelity(calibration, q, idle))) for q in sites}
    score = Target(num_qubits=calibration.num_qubits)
    score.add_instruction(SXGate(), loss)
    if good:
        score.add_instruction(CZGate(), {pair: InstructionProperties(error=error) for pair, error in good.items()})
    for seed in range(VF2_SEEDS):
        search = PassManager([VF2Layout(target=score, seed=seed, call_limit=VF2_CALLS)])
        search.run(skeleton)
        layout = search.property_set["layout"]
        if layout is not None:
            return tuple(layout[bit] for bit in skeleton.qubits)
    broken = len(couplers) - len(good)
    interacting = len({frozenset(pair) for pair in pairs})
    raise DeviceError(
        f"found no layout of the circuit ({num_qubits} qubits, {interacting} interacting pairs) on "
        f"{calibration.name} ({calibration.num_qubits} qubits, {len(good)} working couplers"
        + (f", {broken} more calibrated as unusable" if broken else "")
        + ") without SWAP gates: the coupling map does not hold the circuit's graph (a ring or all-to-all circuit on "
        "heavy-hex, a line that is too long), or the search gave up. Give an explicit layout=[...], or route the "
        "circuit first with qiskit.transpile and give layout=range(num_qubits)."
    )


def _pair_gate_duration(target: Target) -> float:
    """Median duration in seconds of the two-qubit gates; 0 when none is stated."""
    found = [
        known_number(known, "duration")
        for name in target.operation_names
        if isinstance(operation := target.operation_from_name(name), Gate) and operation.num_qubits == 2
        for known in (target[name] or {}).values()
    ]
    return statistics.median([duration for duration in found if duration is not None] or [0.0])
