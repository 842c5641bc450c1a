"""The layout chosen for ibm:NAME against Qiskit's level 3: what is left of the gradient, as read.

    python -m benchmarks.placement [--draws 2] [--device torino] [--qubits 4]

Six brickworks (torino, brisbane, sherbrooke; n = 4 and 6; depth 4; Z readout in the middle; Neel input):
sqrt(V(1)/V(0)) times what assignment errors leave, by our own engine on the placed noise, and by Qiskit Aer gate by
gate on the device's noise model: the circuit transpiled onto the layout and scheduled, idle times relaxing, all
gradients by a four-term shift rule on the density matrix. Of level 3's layouts (bare circuit, and with the read qubit
measured) the better counts. Aer takes minutes for six qubits.
"""

from __future__ import annotations

import argparse
import math
import sys

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

import equinoise as eq
from equinoise.design.sensitivity import readout_factor
from equinoise.device.placement import level3_layout
from equinoise.device.snapshots import Calibration, snapshot
from equinoise.readout import support

DEVICES = ("torino", "brisbane", "sherbrooke")
WIDTHS = (4, 6)
DEPTH = 4
# two draws tell layouts apart to 0.007 only; by our own engine more of them cost nothing
ENGINE_DRAWS = 64
# an expectation value has these frequencies in the angle of XX+YY, in that of RZ and RZZ the second alone
_FREQUENCIES = (0.5, 1.0)
_SHIFTS = (math.pi / 2, math.pi)

Layout = tuple[int, ...]


def rivals(circuit: QuantumCircuit, readout, device: str) -> set[Layout]:
    """Where Qiskit's level 3 puts the circuit without SWAPs: bare, and with what is read measured."""
    backend = snapshot(device)
    done = transpile(circuit, backend, optimization_level=3, seed_transpiler=0).layout
    found = {level3_layout(Calibration.from_backend(backend), circuit, readout)}
    if done.routing_permutation() == sorted(done.routing_permutation()):
        found.add(tuple(done.initial_index_layout(filter_ancillas=True)))
    return found - {None}


def by_engine(problem: eq.Problem, device: str, layout: Layout, thetas: np.ndarray) -> float:
    """Survival as read, by our own engine."""
    placed = problem.with_noise(eq.NoiseModel.from_backend(snapshot(device), layout))
    found = eq.gradient_variance(placed, [0.0, 1.0], sampling=eq.Sampling(engine="exact", ensemble=thetas))
    return float(found.survival[1]) * readout_factor(placed.readout, placed.noise.readout_error)


def by_aer(problem: eq.Problem, device: str, layout: Layout, thetas: np.ndarray) -> float:
    """Survival as read, by Aer gate by gate."""
    backend, circuit = snapshot(device), problem.circuit
    (qubit,) = support(problem.readout)
    prepared = QuantumCircuit(circuit.num_qubits)
    prepared.x([q for q, bit in enumerate(problem.initial.bits) if bit])
    prepared.compose(circuit, inplace=True)
    native = transpile(
        prepared, backend, initial_layout=layout, optimization_level=1, seed_transpiler=0, scheduling_method="alap"
    )
    native.save_density_matrix(qubits=[native.qubits[layout[qubit]]])
    simulator = AerSimulator(
        method="density_matrix", noise_model=NoiseModel.from_backend(backend), max_parallel_threads=1
    )
    points, weights = shifted(thetas)
    order = [p.name for p in circuit.parameters]
    binds = [{p: points[:, order.index(p.name)].tolist() for p in native.parameters}]
    result = simulator.run(native, parameter_binds=binds, shots=1).result()
    states = [np.asarray(result.data(i)["density_matrix"]) for i in range(len(points))]
    values = np.array([(state[0, 0] - state[1, 1]).real for state in states])
    noisy = np.sum((values.reshape(-1, 4) @ weights) ** 2) / len(thetas)
    noiseless = eq.gradient_variance(
        problem.with_noise("none"), [0.0], sampling=eq.Sampling(engine="exact", ensemble=thetas)
    ).variance[0]
    listed = backend.properties().qubit_property(layout[qubit])
    right = 1 - listed["prob_meas1_prep0"][0] - listed["prob_meas0_prep1"][0]
    return math.sqrt(noisy / noiseless) * right


def shifted(thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Four points for each draw and parameter, and their weights: a rule that is exact for both frequencies."""
    a, b = np.linalg.solve([[2 * math.sin(w * x) for x in _SHIFTS] for w in _FREQUENCIES], _FREQUENCIES)
    offsets = [sign * x for x in _SHIFTS for sign in (1, -1)]
    points = [draw + x * unit for draw in thetas for unit in np.eye(thetas.shape[1]) for x in offsets]
    return np.array(points), np.array([a, -a, b, -b])


def main() -> int:
    """Prints the table; 1 if in some case the chosen layout leaves less than level 3's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2, help="by Aer; our engine takes 64")
    parser.add_argument("--device", choices=DEVICES, help="this one alone")
    parser.add_argument("--qubits", type=int, choices=WIDTHS, help="this width alone")
    asked = parser.parse_args()
    cases = [
        (device, n)
        for device in DEVICES
        for n in WIDTHS
        if asked.device in (None, device) and asked.qubits in (None, n)
    ]
    print("| device | n | layout | level 3 | survival as read | of level 3 | by Aer | of level 3 |")
    print("|---|---|---|---|---|---|---|---|")
    missed = 0
    for device, n in cases:
        circuit = eq.circuits.brickwork(n, depth=DEPTH)
        problem = eq.Problem(circuit, f"Z{n // 2}", initial="neel", noise=f"ibm:{device}")
        thetas = np.random.default_rng(2026).uniform(0, 4 * math.pi, (ENGINE_DRAWS, circuit.num_parameters))
        own, others = problem.noise.placement.layout, sorted(rivals(circuit, problem.readout, device))
        engine = {place: by_engine(problem, device, place, thetas) for place in (own, *others)}
        aer = {place: by_aer(problem, device, place, thetas[: asked.draws]) for place in (own, *others)}
        rival = max(others, key=engine.__getitem__)
        told = [engine[own], max(engine[o] for o in others), aer[own], max(aer[o] for o in others)]
        missed += told[0] < told[1] or told[2] < told[3]
        places = (" ".join(map(str, place)) for place in (own, rival))
        print("|", " | ".join([device, str(n), *places, *(f"{v:.5f}" for v in told)]), "|", flush=True)
    print(f"In {missed} of {len(cases)} cases the chosen layout leaves less than Qiskit's level 3.")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
