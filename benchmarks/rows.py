"""The rows of the table: what is measured, against what, and which target it has to meet."""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from threadpoolctl import threadpool_limits

import equinoise as eq
from benchmarks.circuit import (
    ALIKE_DEPHASING,
    ALIKE_DOWN,
    cone_alone,
    interacting_circuit,
    interacting_problem,
    layered_problem,
    permutation_problem,
    random_angles,
)
from benchmarks.measure import Paired, in_turn, run_command, run_task, seconds_of
from equinoise.engines.replica.average import average as replica
from equinoise.engines.select import select_engine

__all__ = ["ROWS", "Row"]

TOLERANCE = 1e-8
PIQS_TOLERANCE = 1e-6
GIB = 2**30
NOISELESS_QUBITS = 16
STATE_VECTOR = "state-vector"
FREE_FERMION = "free-fermion"

Run = Callable[[np.ndarray], tuple[float, np.ndarray]]
Build = Callable[[QuantumCircuit], Run]


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        name: As ``--only`` knows it.
        task: What was computed.
        ours: By equinoise, in words.
        peer: By the other program, in words.
        figure: The number that the target is about: a ratio, bytes or seconds; None if it was not measured.
        shown: The same in words.
        target: In words; empty if there is none.
        met: Whether the target is met and the results agree; None where there is nothing to meet.
        difference: Largest difference from the other program, or from a closed form.
        note: What else to know, or why it was not run.
        times: Seconds per call of each program and repeat.
    """

    name: str
    task: str
    ours: str = ""
    peer: str = ""
    figure: float | None = None
    shown: str = ""
    target: str = ""
    met: bool | None = None
    difference: float | None = None
    note: str = ""
    times: dict[str, tuple[float, ...]] | None = None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def _seconds(value: float) -> str:
    return f"{value * 1e3:.2f} ms" if value < 0.1 else f"{value:.2f} s"


def _gigabytes(value: float) -> str:
    return f"{value / GIB:.2f} GiB"


def _against(
    name: str,
    peer: str,
    build: Build,
    num_qubits: int,
    least: float,
    repeats: int,
    calls: tuple[int, int],
    options: dict[str, Any] | None = None,
    more: bool = False,
    variants: dict[str, Run] | None = None,
) -> Row:
    """A full gradient against another program's, at angles that differ from repeat to repeat.

    Args:
        name: The row's.
        peer: The other program.
        build: Prepares it for a circuit.
        num_qubits: n.
        least: Times faster that it has to be.
        repeats: Ratios measured.
        calls: Of each program per ratio.
        options: For ``eq.gradient``; by default the stated noise and whichever engine serves.
        more: Whether the ratio has to exceed ``least``, and not only to reach it.
        variants: Other ways of running the peer, for the note: words to function of all angles.
    """
    chosen = options or {}
    problem = interacting_problem(num_qubits, 4)
    angles = random_angles(len(problem.parameters), repeats + 1, seed=num_qubits)
    prepare = seconds_of(lambda: eq.gradient(problem, angles[-1], **chosen))
    theirs = build(interacting_circuit(num_qubits, 4))
    first = seconds_of(lambda: theirs(angles[-1]))
    found: dict[int, tuple[float, np.ndarray]] = {}

    def run_ours(repeat: int) -> None:
        eq.gradient(problem, angles[repeat], **chosen)

    def run_theirs(repeat: int) -> None:
        found[repeat] = theirs(angles[repeat])

    timed = in_turn(run_ours, run_theirs, repeats, calls)
    difference = 0.0
    for k, (value, gradient) in found.items():
        ours = eq.gradient(problem, angles[k], **chosen)
        difference = max(difference, abs(ours.value - value), float(np.abs(ours.gradient - gradient).max()))
    note = f"median of {repeats} ratios; first call {_seconds(prepare)}, {peer} {_seconds(first)}"
    for words, other in (variants or {}).items():
        other(angles[-1])
        again = in_turn(run_ours, lambda k, other=other: other(angles[k]), repeats, calls)
        note += f"; {words} {_seconds(statistics.median(again.second))}, {_ratio(again)}"
    noise = "noiseless" if chosen.get("scale") == 0.0 else "noisy"
    return Row(
        name=name,
        task=f"full {noise} gradient, n = {num_qubits}, L = 4, {len(problem.parameters)} parameters",
        ours=_seconds(statistics.median(timed.first)),
        peer=f"{peer} {_seconds(statistics.median(timed.second))}",
        figure=timed.ratio,
        shown=_ratio(timed),
        target=f"{'>' if more else '>='} {least:g} times",
        met=(timed.ratio > least if more else timed.ratio >= least) and difference < TOLERANCE,
        difference=difference,
        note=note,
        times={"equinoise": timed.first, peer: timed.second},
    )


def _ratio(timed: Paired) -> str:
    return f"{timed.ratio:.3g} x ({timed.ratios[0]:.3g} to {timed.ratios[-1]:.3g})"


def tensorcircuit() -> Row:
    """Against TensorCircuit-NG's density matrix on JAX, compiled and warm."""
    from benchmarks.tensorcircuit_peer import tensorcircuit_gradient

    return _against("tensorcircuit", "TensorCircuit-NG", tensorcircuit_gradient, 10, least=50, repeats=7, calls=(20, 1))


def aer() -> Row:
    """Against Qiskit Aer with exact shift rules."""
    from benchmarks.aer_peer import aer_gradient

    return _against("aer", "Qiskit Aer", aer_gradient, 8, least=1000, repeats=3, calls=(200, 1))


def _noiseless(name: str, peer: str, build: Build, least: float, more: bool, variants: dict[str, Run]) -> Row:
    """One state vector in the sector, forward and back, at 16 qubits, which all are in the cone."""
    circuit = interacting_circuit(NOISELESS_QUBITS, 4)
    cone, left = cone_alone(circuit)
    pruned = build(cone)
    gates = f"given only the {left.size} gates in the cone"
    return _against(
        name,
        peer,
        build,
        NOISELESS_QUBITS,
        least=least,
        repeats=11,
        calls=(5, 2),
        options={"scale": 0.0, "engine": STATE_VECTOR},
        more=more,
        variants={**variants, gates: lambda theta: pruned(theta[left])},
    )


def state_vector_lightning() -> Row:
    """Against PennyLane Lightning's adjoint differentiation."""
    from benchmarks.lightning_peer import lightning_gradient, lightning_kernels_gradient

    kernels = lightning_kernels_gradient(interacting_circuit(NOISELESS_QUBITS, 4))
    variants = {"its compiled kernels without PennyLane": kernels}
    return _noiseless("state-vector-lightning", "Lightning", lightning_gradient, 10, more=False, variants=variants)


def state_vector_tencirpauli() -> Row:
    """Against TenCirPauli's native circuit in the sector."""
    from benchmarks.tencirpauli_peer import tencirpauli_gradient

    return _noiseless("state-vector-tencirpauli", "TenCirPauli", tencirpauli_gradient, 1, more=True, variants={})


def kappa_wide() -> Row:
    """The law where no density matrix fits."""
    most, bytes_most = 180.0, 2 * GIB
    most_draws, relative_error = 2000, 0.05
    task = f"law, n = cone = 20, half filling, L = 10, kappa to {relative_error:.0%}, fresh process"
    target = f"< {most:g} s and < {_gigabytes(bytes_most)}"
    found = run_task(
        "kappa-wide",
        num_qubits=20,
        double_layers=10,
        samples=most_draws,
        engine=STATE_VECTOR,
        relative_error=relative_error,
    )
    if "refused" in found:
        return Row("kappa-wide", task, shown="refused", target=target, met=False, note=found["refused"])
    seconds, peak, draws_used = found["seconds"], found["peak_bytes"], found["draws"]
    low, high = found["interval"]
    return Row(
        name="kappa-wide",
        task=task,
        ours=f"{_seconds(seconds)}, {_gigabytes(peak)}",
        figure=seconds,
        shown=f"{_seconds(seconds)}, {_gigabytes(peak)}",
        target=target,
        met=seconds < most and peak < bytes_most,
        note=f"{draws_used} draws of at most {most_draws}, {_seconds(seconds / draws_used)} each; kappa "
        f"{found['kappa']:.3g}, 95 % interval {low:.3g} to {high:.3g}; {_gigabytes(found['before_bytes'])} before the "
        "problem is built; time includes building it",
        times={"equinoise": (seconds,)},
    )


def free_fermion() -> Row:
    """A thousand qubits without interaction."""
    most = 20.0
    num_qubits, layers = 1000, 100
    task = f"one noisy gradient, {num_qubits} qubits all in the cone, {layers} layers, fresh process"
    target = f"< {most:g} s"
    found = run_task("free-fermion", num_qubits=num_qubits, layers=layers, engine=FREE_FERMION)
    if "refused" in found:
        return Row("free-fermion", task, shown="refused", target=target, met=False, note=found["refused"])
    seconds = found["seconds"] - found["build_seconds"]
    return Row(
        name="free-fermion",
        task=task,
        ours=f"{_seconds(seconds)}, {_gigabytes(found['peak_bytes'])}",
        figure=seconds,
        shown=_seconds(seconds),
        target=target,
        met=seconds < most,
        note=f"{found['parameters']:,} parameters, correlated dephasing; besides {_seconds(found['build_seconds'])} to "
        f"build circuit and Problem; {_gigabytes(found['before_bytes'])} before that",
        times={"equinoise": (seconds,), "building": (found["build_seconds"],)},
    )


def permutation_fifty() -> Row:
    """Fifty qubits under every collective rotation, with noise on each."""
    most, num_qubits, layers = 60.0, 50, 20
    task = f"one noisy gradient, {num_qubits} qubits, {layers} layers of RX, RY and RZZ on all pairs, fresh process"
    found = run_task("permutation", num_qubits=num_qubits, layers=layers, scales=[1.0, 1.0, 1.0, math.inf])
    if "refused" in found:
        return Row("permutation-50", task, shown="refused", target=f"< {most:g} s", met=False, note=found["refused"])
    seconds, later = found["seconds"], found["later"]
    return Row(
        name="permutation-50",
        task=task,
        ours=f"{_seconds(seconds)}, {_gigabytes(found['peak_bytes'])}",
        figure=seconds,
        shown=_seconds(seconds),
        target=f"< {most:g} s",
        met=seconds < most,
        note=f"of which {_seconds(found['build_seconds'])} to build circuit and Problem; local dephasing and damping; "
        f"later gradients {_seconds(statistics.median(later[:3]))}, at the limit of infinite noise "
        f"{_seconds(later[3])}; {found['parameters']} parameters; {_gigabytes(found['before_bytes'])} before",
        times={"equinoise": (seconds,), "building": (found["build_seconds"],), "later": tuple(later)},
    )


def permutation_piqs() -> Row:
    """Against QuTiP's PIQS: a value of the same circuit, for PIQS has no gradients."""
    from benchmarks.piqs_peer import piqs_value

    num_qubits, layers, least, repeats = 30, 4, 20.0, 5
    problem = permutation_problem(num_qubits, layers)
    engine = select_engine(problem, "permutation")
    theirs = piqs_value(num_qubits, layers, ALIKE_DEPHASING, ALIKE_DOWN)
    angles = random_angles(len(problem.parameters), repeats + 1, seed=num_qubits)
    found: dict[int, float] = {}
    engine.value(angles[-1], 1.0)
    timed = in_turn(
        lambda k: engine.draw(angles[k], 1.0), lambda k: found.update({k: theirs(angles[k])}), repeats, (20, 1)
    )
    difference = max(abs(engine.value(angles[k], 1.0)[0] - value) for k, value in found.items())
    return Row(
        name="permutation-piqs",
        task=f"value (equinoise: and gradient), n = {num_qubits}, {layers} layers of RX, RY and RZZ on all pairs",
        ours=_seconds(statistics.median(timed.first)),
        peer=f"PIQS {_seconds(statistics.median(timed.second))}",
        figure=timed.ratio,
        shown=_ratio(timed),
        target=f">= {least:g} times",
        met=timed.ratio >= least and difference < PIQS_TOLERANCE,
        difference=difference,
        note=f"median of {repeats} ratios; PIQS' coefficients of local noise are of single precision, so results are "
        f"asked to agree to {PIQS_TOLERANCE:g}",
        times={"equinoise": timed.first, "PIQS": timed.second},
    )


def memory() -> Row:
    """Peak memory of a deep circuit."""
    most = 3 * GIB
    task = "one noisy gradient, n = 12, L = 8, fresh process"
    found = run_task("deep", num_qubits=12, double_layers=8)
    if "refused" in found:
        return Row("memory", task, target=f"< {_gigabytes(most)}", met=False, note=found["refused"])
    return Row(
        name="memory",
        task=task,
        ours=f"{_gigabytes(found['peak_bytes'])}, {_seconds(found['seconds'])}",
        figure=found["peak_bytes"],
        shown=_gigabytes(found["peak_bytes"]),
        target=f"< {_gigabytes(most)}",
        met=found["peak_bytes"] < most,
        note=f"of which {_gigabytes(found['before_bytes'])} before the problem is built; time includes building it",
        times={"equinoise": (found["seconds"],)},
    )


def cold() -> Row:
    """The first diagnosis after installing, with nothing compiled, and the second."""
    most = 20.0
    options = ["brickwork:n=8,depth=4", "--readout", "Z4", "--noise", "dephasing:0.01", "--samples", "8"]
    command = [str(Path(sys.executable).with_name("equinoise")), "diagnose", *options]
    with tempfile.TemporaryDirectory() as folder:
        caches = {"NUMBA_CACHE_DIR": f"{folder}/numba", "MPLCONFIGDIR": f"{folder}/matplotlib"}
        first, _ = run_command(command, caches)
        again, _ = run_command(command, caches)
    return Row(
        name="cold",
        task=f"equinoise diagnose {' '.join(options)}",
        ours=f"{_seconds(first)}, again {_seconds(again)}",
        figure=first,
        shown=_seconds(first),
        target=f"< {most:g} s",
        met=first < most,
        note="from an empty folder for compiled kernels, start of the interpreter included",
        times={"equinoise": (first, again)},
    )


def _wide(excitations: int) -> Row:
    name = f"wide-{excitations}"
    task = f"one noisy gradient, 200 qubits all in the cone, charge {excitations}, fresh process"
    found = run_task("wide", num_qubits=200, excitations=excitations)
    if "refused" in found:
        return Row(name, task, shown="not run", note=found["refused"])
    return Row(
        name=name,
        task=task,
        ours=f"{_gigabytes(found['peak_bytes'])}, {_seconds(found['seconds'])}",
        figure=found["peak_bytes"],
        shown=_gigabytes(found["peak_bytes"]),
        met=None if found["difference"] < TOLERANCE else False,
        difference=found["difference"],
        note=f"{found['numbers']:,} complex numbers a state; compared with the closed form; time includes building it",
        times={"equinoise": (found["seconds"],)},
    )


def wide_one() -> Row:
    """One excitation on 200 qubits."""
    return _wide(1)


def wide_two() -> Row:
    """Two excitations on 200 qubits."""
    return _wide(2)


def draws() -> Row:
    """Draws in two threads against one after the other."""
    repeats, samples = 5, 32
    problem = interacting_problem(10, 4)
    found = {}

    def run(workers: int) -> None:
        found[workers] = eq.gradient_variance(problem, sampling=eq.Sampling(samples=samples, workers=workers))

    run(1)
    run(2)
    busy: dict[int, list[float]] = {1: [], 2: []}

    def run_watched(workers: int) -> None:
        start = time.process_time()
        run(workers)
        busy[workers].append(time.process_time() - start)

    timed = in_turn(lambda _: run_watched(2), lambda _: run_watched(1), repeats)
    processors = statistics.median(b / a for a, b in zip(timed.first, busy[2], strict=True))
    extra = statistics.median(b / a for a, b in zip(busy[1], busy[2], strict=True)) - 1
    difference = float(np.abs(found[1].per_parameter - found[2].per_parameter).max())
    return Row(
        name="draws",
        task=f"gradient_variance, {samples} draws at 2 scales, n = 10, L = 4",
        ours=f"2 workers {_seconds(statistics.median(timed.first))}",
        peer=f"1 worker {_seconds(statistics.median(timed.second))}",
        figure=timed.ratio,
        shown=_ratio(timed),
        met=None if difference == 0 else False,
        difference=difference,
        note=f"median of {repeats} ratios; two workers had {processors:.2f} processors "
        f"(2 unless others compete for them) and took {extra:+.0%} processor time; "
        "the numbers must be the same to the last bit",
        times={"2 workers": timed.first, "1 worker": timed.second},
    )


def pennylane() -> Row:
    """A noisy gradient through PennyLane, by the device and by default.mixed's backpropagation."""
    import pennylane as qml

    from benchmarks.pennylane_peer import pennylane_gradient
    from equinoise.interop.pennylane_device import SectorDevice

    n, least, repeats = 10, 50.0, 2
    circuit, problem = interacting_circuit(n, 4), interacting_problem(n, 4)
    angles = random_angles(len(problem.parameters), repeats + 1, seed=n)
    ours = pennylane_gradient(SectorDevice(wires=n), circuit, diff_method="device")
    theirs = pennylane_gradient(qml.device("default.mixed", wires=n), circuit, diff_method="backprop")
    ours(angles[-1])
    found: dict[int, tuple[float, np.ndarray]] = {}
    timed = in_turn(lambda k: ours(angles[k]), lambda k: found.update({k: theirs(angles[k])}), repeats, (20, 1))
    difference = 0.0
    for k, (value, gradient) in found.items():
        own_value, own_gradient = ours(angles[k])
        difference = max(difference, abs(own_value - value), float(np.abs(own_gradient - gradient).max()))
    direct = in_turn(lambda k: eq.gradient(problem, angles[k]), lambda k: ours(angles[k]), repeats, (20, 20))
    return Row(
        name="pennylane",
        task=f"noisy gradient of a QNode, n = {n}, L = 4, autograd interface",
        ours=f"equinoise.sector {_seconds(statistics.median(timed.first))}",
        peer=f"default.mixed, backprop {_seconds(statistics.median(timed.second))}",
        figure=timed.ratio,
        shown=_ratio(timed),
        target=f">= {least:g} times faster",
        met=timed.ratio >= least and difference < TOLERANCE,
        difference=difference,
        note=f"the QNode takes {direct.ratio:.1f} times as long as eq.gradient ({_seconds(direct.first[0])}): "
        "PennyLane records and processes the circuit anew at each call",
        times={"equinoise": timed.first, "default.mixed": timed.second},
    )


def replica_sampled() -> Row:
    """V to 1 % without sampling against the exact engine's draws."""
    width, half_layers, relative_error, least = 10, 10, 0.01, 20.0
    repeats, samples, scales = 5, 64, [0.0, 1.0]
    problem = layered_problem(width, half_layers)
    spread, pooled = [], []

    def run_ours(_: int) -> None:
        # a problem of its own for each call: blocks' averages and the sweeps' plan are worked out every time
        found.append(replica.average(layered_problem(width, half_layers), scales, relative_error))

    def run_draws(repeat: int) -> None:
        drawn = eq.gradient_variance(
            problem, scales, sampling=eq.Sampling(samples=samples, seed=repeat, engine="exact")
        )
        pooled.append(drawn.variance)
        spread.append(np.square(drawn.standard_error) * samples)

    found: list[replica.EnsembleAverage] = []
    run_ours(0)
    run_draws(repeats)
    timed = in_turn(run_ours, run_draws, repeats)
    ours, mean, square = found[-1], np.mean(pooled, axis=0), np.mean(spread, axis=0)
    needed = float(np.max(square / mean**2)) / relative_error**2
    sampled = Paired(timed.first, tuple(t * needed / samples for t in timed.second))
    error = np.sqrt(square / (samples * len(pooled)))
    distance = float(np.max(np.abs(ours.variance - mean) / error))
    return Row(
        name="replica-sampled",
        task=f"V at scales 0 and 1 to {relative_error:.0%}, w = {ours.width}, {half_layers} half layers",
        ours=_seconds(statistics.median(sampled.first)),
        peer=f"{needed:,.0f} draws of engine exact {_seconds(statistics.median(sampled.second))}",
        figure=sampled.ratio,
        shown=_ratio(sampled),
        target=f">= {least:g} times",
        met=sampled.ratio >= least and ours.met and distance < 4,
        note=f"median of {repeats} ratios; time per draw from {samples} draws a repeat, draws needed from the spread "
        f"of {samples * len(pooled)}: ((standard deviation/mean)/{relative_error:g})^2; bond dimension {ours.bond}; V "
        f"{distance:.1f} standard errors from the draws' mean",
        times={"equinoise": sampled.first, "draws": sampled.second},
    )


def _replica_wide(width: int, half_layers: int, relative_error: float, most: float, bytes_most: float | None) -> Row:
    name = f"replica-{width}"
    task = f"V at scales 0 and 1 to {relative_error:.0%}, w = {width}, {half_layers} half layers, fresh process"
    target = f"< {most:g} s" + ("" if bytes_most is None else f" and < {_gigabytes(bytes_most)}")
    found = run_task("replica-wide", width=width, half_layers=half_layers, relative_error=relative_error)
    if "refused" in found:
        return Row(name, task, shown="refused", target=target, met=False, note=found["refused"])
    seconds, peak = found["seconds"], found["peak_bytes"]
    v = ", ".join(f"{a:.4g} +- {b:.1g}" for a, b in zip(found["variance"], found["error"], strict=True))
    return Row(
        name=name,
        task=task,
        ours=f"{_seconds(seconds)}, {_gigabytes(peak)}",
        figure=seconds,
        shown=f"{_seconds(seconds)}, {_gigabytes(peak)}",
        target=target,
        met=found["met"] and found["width"] == width and seconds < most and (bytes_most is None or peak < bytes_most),
        note=f"V {v}; bond dimension {found['bond']}; {_gigabytes(found['before_bytes'])} before the problem is built; "
        "time includes building it",
        times={"equinoise": (seconds,)},
    )


def replica_twenty() -> Row:
    """V of 20 qubits without sampling."""
    return _replica_wide(20, 10, 0.01, most=60.0, bytes_most=None)


def replica_forty() -> Row:
    """V of 40 qubits without sampling."""
    return _replica_wide(40, 20, 0.05, most=600.0, bytes_most=4 * GIB)


def replica_gate() -> Row:
    """One gate of the replica engine with its cut against symmray."""
    from benchmarks.symmray_peer import our_gate, symmray_gate, widest_gate

    bond, least, repeats = 160, 1.0, 15
    gate = widest_gate(layered_problem(24, 14), bond)
    theirs = symmray_gate(gate)
    with threadpool_limits(1):
        kept, other = our_gate(gate), theirs()
        timed = in_turn(lambda _: our_gate(gate), lambda _: theirs(), repeats, (3, 3))
    difference = abs(kept / other - 1)
    return Row(
        name="replica-gate",
        task=f"one block on two replicas' sites with its cut, bond dimension {bond}, w = 24, one thread",
        ours=_seconds(statistics.median(timed.first)),
        peer=f"symmray {_seconds(statistics.median(timed.second))}",
        figure=timed.ratio,
        shown=_ratio(timed),
        target=f"> {least:g} times",
        met=timed.ratio > least and difference < 1e-4,
        difference=difference,
        note=f"median of {repeats} ratios; the same tensors, labels and bond dimension; difference: of the norm kept",
        times={"equinoise": timed.first, "symmray": timed.second},
    )


ROWS: dict[str, Callable[[], Row]] = {
    "tensorcircuit": tensorcircuit,
    "aer": aer,
    "state-vector-lightning": state_vector_lightning,
    "state-vector-tencirpauli": state_vector_tencirpauli,
    "kappa-wide": kappa_wide,
    "free-fermion": free_fermion,
    "permutation-50": permutation_fifty,
    "permutation-piqs": permutation_piqs,
    "memory": memory,
    "cold": cold,
    "wide-1": wide_one,
    "wide-2": wide_two,
    "draws": draws,
    "pennylane": pennylane,
    "replica-sampled": replica_sampled,
    "replica-20": replica_twenty,
    "replica-40": replica_forty,
    "replica-gate": replica_gate,
}
