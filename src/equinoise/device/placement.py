"""The layout of a circuit on a device: places without SWAPs, scored by the calibrated noise that the readout sees."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import ClassicalRegister, Gate
from qiskit.circuit.library import CZGate, SXGate
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import InstructionProperties, PassManager, Target
from qiskit.transpiler.passes import VF2Layout

from equinoise.device.embedding import extend, find_embeddings
from equinoise.device.gate_fidelity import known_number, process_fidelity, thermal_fidelity
from equinoise.device.native import Compiler
from equinoise.device.site_rates import SiteRates
from equinoise.errors import DeviceError
from equinoise.readout import support

if TYPE_CHECKING:
    from equinoise.circuit.layers import Layer
    from equinoise.device.snapshots import Calibration

__all__ = ["LayoutChoice", "choose_layout", "completed", "couplers_of", "level3_layout", "vf2_layout"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

VF2_SEEDS = 12
VF2_CALLS = (100_000, 1_000_000)
"""Search steps to the first layout, and for improving it; the whole stays within seconds."""

_ALL = 10_000
_SAMPLE = 300
# qubits up to which Qiskit's level 3 answers within seconds
_LEVEL3_QUBITS = 32
# ways tried to place the qubits outside the cone, which count by how long they make a layer
_COMPLETIONS = 8
# placements completed at most, among those whose cone fits
_MOST_EXTENSIONS = 400
_TIE = 1e-12


@dataclass(frozen=True)
class LayoutChoice:
    """Where a circuit is on a device, and how that was found.

    Attributes:
        device: The device's name.
        layout: Physical qubit of each circuit qubit.
        how: In words, for the notes.
    """

    device: str
    layout: tuple[int, ...]
    how: str


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


def _working(calibration: Calibration) -> dict[tuple[int, int], float]:
    return {p: error for p, error in couplers_of(calibration.target).items() if process_fidelity(error, 4) > 1 / 16}


def choose_layout(
    calibration: Calibration,
    circuit: QuantumCircuit,
    layers: Sequence[Layer],
    readout: SparsePauliOp | None,
    compiler: Compiler,
) -> LayoutChoice:
    """The layout without SWAPs that leaves most of what the readout sees, by the device's calibration alone.

    The score of a layout is the process fidelity of all calibrated noise on the qubits that the readout sees, slot by
    slot, times what assignment errors leave of the readout:

        ln score = - sum over slots [ sum of depolarizing rate x (1 - 4^-k) + sum over qubits (dephasing + down/2) ]
                   + ln readout factor,

    with the rates that placing gives: errors of the one- and two-qubit gates of each block, T1 and T2 of idle and busy
    qubits during each layer. A Pauli string drawn at random on the k seen qubits loses just that, to first order. No
    simulation of the circuit enters: what its gradient makes of each place is the search's
    (:mod:`equinoise.design.layout_search`).

    Candidates are all places of the readout's light cone up to 10,000; beyond that a sample of 300, the layout of
    Qiskit's VF2Layout and, up to 32 qubits, that of Qiskit's whole level 3. The same input gives the same layout.

    Args:
        calibration: The device; its own layout is ignored.
        circuit: The circuit.
        layers: Its layers.
        readout: What is read; None: every qubit.
        compiler: Of the circuit and the device.

    Raises:
        DeviceError: The device has too few qubits, or no layout without SWAPs was found.
    """
    n = circuit.num_qubits
    if n > calibration.num_qubits:
        raise DeviceError(
            f"the circuit has {n} qubits, {calibration.name} only {calibration.num_qubits}. "
            "Take a larger device (`equinoise devices` lists them) or a smaller circuit."
        )
    couplers, sites = _working(calibration), range(calibration.num_qubits)
    gates = [gate for layer in layers for gate in layer.gates if gate.name != "barrier" and len(gate.qubits) == 2]
    pairs = sorted({(min(gate.qubits), max(gate.qubits)) for gate in gates})
    whole = find_embeddings(range(n), pairs, couplers, sites, 1, 0)
    if whole.complete and not whole.places:
        raise _no_layout(calibration, n, len(pairs), len(couplers))
    rates = SiteRates(circuit, layers, calibration, sorted(couplers), compiler)
    cone, seen = rates.cone(readout, n)

    def score(layouts: Index) -> Real:
        lost = rates.kappa(layouts, seen, _generic_weight)
        return np.asarray(rates.log_read(layouts, readout) - lost)

    found = find_embeddings(cone, pairs, couplers, sites, _ALL, 0, sample=_SAMPLE)
    done = completed(found.places, cone, n, score, pairs, couplers, sites, 1)
    others: dict[str, tuple[int, ...]] = {}
    if not (found.complete and done):
        tried = {"VF2Layout": vf2_layout(calibration, circuit, layers)}
        if n <= _LEVEL3_QUBITS:
            tried["level 3"] = level3_layout(calibration, circuit, readout)
        others = {name: layout for name, layout in tried.items() if layout is not None}
        done += [(float(score(np.array([layout]))[0]), layout) for layout in others.values()]
    if not done:
        raise _no_layout(calibration, n, len(pairs), len(couplers))
    # mirror images can be equal: not rounding but the smaller physical qubits decide
    best = min(done, key=lambda one: (-round(one[0] / _TIE) if math.isfinite(one[0]) else math.inf, one[1]))[1]
    count = f"{len(found.places):,} places" if found.complete else f"a sample of {len(found.places):,} places"
    also = f" and Qiskit's {' and '.join(others)}" if others else ""
    how = f"chosen as the best of {count}{also} by calibrated gate, T1, T2 and readout errors that the readout sees"
    return LayoutChoice(calibration.name, best, how)


def _generic_weight(layer: int, mechanism: str, qubits: tuple[int, ...]) -> float:
    """First-order loss of process fidelity by a unit of rate."""
    # Mean over I, X, Y, Z of what a unit of rate takes: relaxation down/2 of X and Y, down of Z: 1/2. Dephasing 2 of X
    # and Y: 1. Depolarizing everything but the identity: 1 - 4^-k.
    return {"down": 0.5, "dephasing": 1.0}.get(mechanism, 1 - 4.0 ** -len(qubits))


def completed(
    places: Sequence[tuple[int, ...]],
    cone: Sequence[int],
    num_qubits: int,
    score: Callable[[Index], Real],
    pairs: Sequence[tuple[int, int]],
    couplers: Sequence[tuple[int, int]] | dict[tuple[int, int], float],
    sites: Sequence[int],
    wanted: int,
) -> list[tuple[float, tuple[int, ...]]]:
    """The layouts of best score among the places of a cone, each completed by the qubits outside it; best first.

    Without the layers' other blocks a score is an upper bound, so that the first that cannot rise ends the search.

    Args:
        places: Sites of the cone's qubits.
        cone: These qubits.
        num_qubits: Number of circuit qubits n.
        score: Of layouts, shape (M, n), with -1 for qubits without a site; -infinity where a block cannot run.
        pairs: Pairs of circuit qubits that meet in a gate.
        couplers: Coupled pairs of sites.
        sites: Sites that may be used.
        wanted: Number of layouts.
    """
    if not places:
        return []
    whole = np.full((len(places), num_qubits), -1, dtype=np.int64)
    whole[:, list(cone)] = np.array(places)
    scores = score(whole)
    order = [int(i) for i in np.argsort(-scores, kind="stable") if np.isfinite(scores[i])]
    done: list[tuple[float, tuple[int, ...]]] = []
    # Adding qubits can only lengthen layers and so lower the score: once the next cone scores below the last one
    # wanted, no later one can win.
    for i in order[:_MOST_EXTENSIONS]:
        if len(done) >= wanted and scores[i] < done[wanted - 1][0] - _TIE:
            break
        fixed = dict(zip(cone, places[i], strict=True))
        for layout in extend(fixed, range(num_qubits), pairs, couplers, sites, _COMPLETIONS):
            full = float(score(np.array([layout]))[0])
            if np.isfinite(full):
                done.append((full, layout))
        done.sort(key=lambda one: -one[0])
    return done


# -- Qiskit's choices --------------------------------------------------------------------------------------------


def level3_layout(
    calibration: Calibration, circuit: QuantumCircuit, readout: SparsePauliOp | None
) -> tuple[int, ...] | None:
    """The layout on which Qiskit's level 3 leaves a circuit, measured where it is read; None if it adds SWAPs."""
    measured = circuit.remove_final_measurements(inplace=False)
    read = range(circuit.num_qubits) if readout is None else support(readout)
    bits = ClassicalRegister(len(read))
    measured.add_register(bits)
    measured.measure(list(read), bits)
    try:
        manager = generate_preset_pass_manager(3, target=calibration.target, seed_transpiler=0)
        found = manager.run(measured).layout
    except QiskitError:
        return None
    if found is None:
        return None
    layout = tuple(int(q) for q in found.initial_index_layout(filter_ancillas=True))
    couplers = couplers_of(calibration.target)
    met = {tuple(circuit.find_bit(q).index for q in item.qubits) for item in circuit.data if len(item.qubits) == 2}
    fits = all((min(layout[a], layout[b]), max(layout[a], layout[b])) in couplers for a, b in met)
    return layout if fits else None


def vf2_layout(calibration: Calibration, circuit: QuantumCircuit, layers: Sequence[Layer]) -> tuple[int, ...] | None:
    """The layout that Qiskit's VF2Layout scores best by coupler errors, T1 and T2; None if it finds none."""
    # The score stands for two native gates per circuit gate, and per layer idling as long as four of them.
    skeleton = QuantumCircuit(circuit.num_qubits)
    for layer in layers:
        for gate in layer.gates:
            if gate.name != "barrier" and len(gate.qubits) == 2:
                skeleton.cz(*gate.qubits)
                skeleton.cz(*gate.qubits)
    for _ in layers:
        skeleton.sx(range(circuit.num_qubits))
    idle = 4 * _pair_gate_duration(calibration.target)
    loss = {}
    for q, (t1, t2) in enumerate(zip(calibration.t1, calibration.t2, strict=True)):
        kept = 1.0 if t1 is None or t2 is None else float(thermal_fidelity(t1, t2, idle))
        loss[(q,)] = InstructionProperties(error=2 / 3 * (1 - kept))
    score = Target(num_qubits=calibration.num_qubits)
    score.add_instruction(SXGate(), loss)
    good = _working(calibration)
    if good:
        score.add_instruction(CZGate(), {pair: InstructionProperties(error=error) for pair, error in good.items()})
    for seed in range(VF2_SEEDS):
        search = PassManager([VF2Layout(target=score, seed=seed, call_limit=VF2_CALLS)])
        search.run(skeleton)
        layout = search.property_set["layout"]
        if layout is not None:
            return tuple(layout[bit] for bit in skeleton.qubits)
    return None


def _no_layout(calibration: Calibration, num_qubits: int, interacting: int, working: int) -> DeviceError:
    broken = len(couplers_of(calibration.target)) - working
    return DeviceError(
        f"found no layout of the circuit ({num_qubits} qubits, {interacting} interacting pairs) on "
        f"{calibration.name} ({calibration.num_qubits} qubits, {working} working couplers"
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
