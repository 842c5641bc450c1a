"""Builders shared by the tests: the goldens, random problems of each symmetry class, Qiskit Aer as reference."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import UnitaryGate, XXPlusYYGate
from qiskit.quantum_info import Kraus, Operator, Pauli, SparsePauliOp, Statevector

GOLDEN_FILE = Path(__file__).parent / "data" / "golden_cases.json"

__all__ = [
    "PhaseTwin",
    "aer_density_matrix",
    "build_problem",
    "gaussian_average",
    "golden_cases",
    "golden_problem",
    "hop_phase_hop",
    "layer_unitaries",
    "random_problems",
    "random_theta",
    "readout_matrix",
]


# -- problems ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StandInGate:
    """A circuit instruction: index into circuit.data, name, qubits."""

    position: int
    name: str
    qubits: tuple[int, ...]


@dataclass(frozen=True)
class StandInLayer:
    """The instructions between two barriers."""

    gates: tuple[StandInGate, ...]


@dataclass(frozen=True)
class StandInState:
    """A state vector behind the method that the twin calls."""

    amplitudes: np.ndarray

    def statevector(self) -> np.ndarray:
        """Shape (2^n,), qubit 0 least significant."""
        return self.amplitudes


@dataclass(frozen=True)
class StandInProblem:
    """What the slow twin reads of a problem, made here from circuit and barriers alone, by no code of the package."""

    circuit: QuantumCircuit
    layers: tuple[StandInLayer, ...]
    slots: tuple[Any, ...]
    initial: StandInState
    readout: SparsePauliOp
    projected: bool
    charge: int | None

    @property
    def num_qubits(self) -> int:
        """Number of qubits n."""
        return self.circuit.num_qubits

    @property
    def parameters(self) -> tuple[Any, ...]:
        """Order of circuit.parameters."""
        return tuple(self.circuit.parameters)


def stand_in_problem(
    circuit: QuantumCircuit,
    readout: SparsePauliOp,
    initial: Any,
    noise: Any = None,
    projected: bool = False,
    charge: int | None = None,
) -> StandInProblem:
    """The twin's view of a problem from barriers alone; arguments as in ``equinoise.Problem``.

    No symmetry is asked: it lets the twin take circuits that a Problem refuses, and shows that a Problem's layers are
    those between its barriers.
    """
    from equinoise.noise.model import NoiseModel

    layers: list[list[StandInGate]] = [[]]
    for position, item in enumerate(circuit.data):
        if item.operation.name == "barrier":
            layers.append([])
        else:
            qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
            layers[-1].append(StandInGate(position, item.operation.name, qubits))
    kept = tuple(StandInLayer(tuple(gates)) for gates in layers if gates)
    state = _amplitudes(initial, circuit.num_qubits)
    if charge is None:
        charges = _charges(state)
        charge = charges[0] if len(charges) == 1 else None
    slots = (noise or NoiseModel()).slots(kept, circuit.num_qubits)
    return StandInProblem(circuit, kept, slots, StandInState(state), readout, projected, charge)


def _amplitudes(initial: Any, num_qubits: int) -> np.ndarray:
    if isinstance(initial, str):
        return Statevector.from_label(initial).data
    if isinstance(initial, Statevector):
        return initial.data
    return functools.reduce(lambda low, high: np.kron(high, low), np.asarray(initial))


def _charges(state: np.ndarray) -> list[int]:
    return sorted({int(x).bit_count() for x in np.flatnonzero(np.abs(state) > 1e-6)})


def build_problem(circuit: QuantumCircuit, **options: Any) -> Any:
    """``equinoise.Problem(circuit, **options)``."""
    from equinoise.problem import Problem

    return Problem(circuit, **options)


# -- goldens -------------------------------------------------------------------------------------------------------


def golden_cases() -> list[dict[str, Any]]:
    """The seven cases of tests/data/golden_cases.json, made by a separate slow program."""
    return json.loads(GOLDEN_FILE.read_text(encoding="utf-8"))


def pauli_sum(terms: Mapping[str, float], num_qubits: int) -> SparsePauliOp:
    """An operator from labels such as {"Z2": 1.0, "X1X2": 0.5}."""
    sparse = []
    for label, coefficient in terms.items():
        letters, qubits = label[::2], [int(digit) for digit in label[1::2]]
        sparse.append((letters, qubits, coefficient))
    return SparsePauliOp.from_sparse_list(sparse, num_qubits=num_qubits)


def golden_problem(case: Mapping[str, Any], build: Callable[..., Any] = build_problem) -> Any:
    """A golden case as a problem: "xy" = XXPlusYYGate, "zz" = RZZ, "z" = RZ, a barrier after each layer but the last.

    Args:
        case: An entry of :func:`golden_cases`; its ``initial`` is written qubit 0 first.
        build: What makes the problem, by default the real one.
    """
    from equinoise.noise.model import NoiseModel

    n = case["qubits"]
    circuit = QuantumCircuit(n)
    theta = iter(ParameterVector("t", sum(len(layer) for layer in case["layers"])))
    for index, layer in enumerate(case["layers"]):
        if index:
            circuit.barrier(label="layer")
        for name, *qubits in layer:
            if name == "xy":
                circuit.append(XXPlusYYGate(next(theta)), qubits)
            elif name == "zz":
                circuit.rzz(next(theta), *qubits)
            else:
                circuit.rz(next(theta), *qubits)
    noise: dict[str, list[dict[str, Any]]] = {}
    for entry in case["noise"]:
        noise.setdefault(entry["kind"], []).append({k: v for k, v in entry.items() if k != "kind"})
    return build(
        circuit,
        readout=pauli_sum(case["readout"], n),
        initial=case["initial"][::-1],
        noise=NoiseModel.from_dict(noise),
        projected=case["projected"],
    )


# -- Qiskit Aer as a foreign reference -----------------------------------------------------------------------------


def readout_matrix(problem: Any) -> np.ndarray:
    """O, or P_q O P_q for a projected readout, shape (2^n, 2^n)."""
    matrix = problem.readout.to_matrix()
    if problem.projected:
        inside = np.array([x.bit_count() == problem.charge for x in range(2**problem.num_qubits)])
        matrix = matrix * np.outer(inside, inside)
    return matrix


def aer_density_matrix(problem: Any, theta: Sequence[float], scale: float) -> np.ndarray:
    """The final density matrix by Qiskit Aer: bound gates as unitaries, each noise term as textbook Kraus operators.

    Args:
        problem: A problem.
        theta: Angles, shape (K,), order of circuit.parameters.
        scale: Finite noise scale s >= 0.

    Returns:
        Shape (2^n, 2^n), qubit 0 least significant.
    """
    from qiskit_aer import AerSimulator

    if not math.isfinite(scale):
        raise ValueError("Aer knows no infinite noise scale")
    bound = problem.circuit.assign_parameters(dict(zip(problem.circuit.parameters, theta, strict=True)))
    circuit = QuantumCircuit(problem.num_qubits)
    state = np.asarray(problem.initial.statevector())
    circuit.set_density_matrix(np.outer(state, state.conj()))
    for layer, slot in zip(problem.layers, problem.slots, strict=True):
        for gate in layer.gates:
            circuit.append(UnitaryGate(Operator(bound.data[gate.position].operation)), gate.qubits)
        for operators, qubits in _kraus_of_slot(slot, scale):
            circuit.append(Kraus(operators).to_instruction(), qubits)
    circuit.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", max_parallel_threads=1, fusion_enable=False)
    return np.asarray(simulator.run(circuit, shots=1).result().data()["density_matrix"])


def _kraus_of_slot(slot: Any, scale: float) -> list[tuple[list[np.ndarray], tuple[int, ...]]]:
    channels: list[tuple[list[np.ndarray], tuple[int, ...]]] = []
    for term in slot.dephasing:
        channels.append((_dephasing_kraus([w for _, w in term.weights], scale * term.rate), term.qubits))
    rates: dict[int, tuple[float, float]] = {}
    for term in slot.relaxation:
        down, up = rates.get(term.qubit, (0.0, 0.0))
        rates[term.qubit] = (down + term.down, up + term.up)
    for qubit, (down, up) in rates.items():
        if scale * (down + up) > 0:
            channels.append((_relaxation_kraus(scale * down, scale * up), (qubit,)))
    for term in slot.depolarizing:
        channels.append((_depolarizing_kraus(len(term.qubits), scale * term.rate), term.qubits))
    for term in slot.pauli:
        flip = (1 - math.exp(-2 * scale * term.rate)) / 2
        matrix = Pauli("".join(letter for _, letter in reversed(term.pauli))).to_matrix()
        channels.append(([math.sqrt(1 - flip) * np.eye(len(matrix)), math.sqrt(flip) * matrix], term.qubits))
    return channels


def _dephasing_kraus(weights: Sequence[float], strength: float) -> list[np.ndarray]:
    """|x><y| -> exp(-strength (v.z_x - v.z_y)^2/2) |x><y|: a positive Schur multiplier sum_i c_i u_i u_i^dag."""
    levels = np.array(
        [sum(w * (1 - 2 * (x >> i & 1)) for i, w in enumerate(weights)) for x in range(2 ** len(weights))]
    )
    multiplier = np.exp(-strength * (levels[:, None] - levels[None, :]) ** 2 / 2)
    coefficients, vectors = np.linalg.eigh(multiplier)
    return [math.sqrt(max(c, 0.0)) * np.diag(v) for c, v in zip(coefficients, vectors.T, strict=True)]


def _relaxation_kraus(down: float, up: float) -> list[np.ndarray]:
    """Generalised amplitude damping with gamma = 1 - exp(-down - up) towards the share down/(down + up) of |0>."""
    gamma = -math.expm1(-down - up)
    ground = down / (down + up)
    keep, jump = math.sqrt(1 - gamma), math.sqrt(gamma)
    return [
        math.sqrt(ground) * np.array([[1, 0], [0, keep]]),
        math.sqrt(ground) * np.array([[0, jump], [0, 0]]),
        math.sqrt(1 - ground) * np.array([[keep, 0], [0, 1]]),
        math.sqrt(1 - ground) * np.array([[0, 0], [jump, 0]]),
    ]


def _depolarizing_kraus(count: int, strength: float) -> list[np.ndarray]:
    """All 4^k Pauli strings with weight p/4^k, p = 1 - exp(-strength), the identity with the rest."""
    share = -math.expm1(-strength) / 4**count
    labels = [""]
    for _ in range(count):
        labels = [letter + label for letter in "IXYZ" for label in labels]
    identity = "I" * count
    weights = {label: share if label != identity else 1 - (4**count - 1) * share for label in labels}
    return [math.sqrt(weight) * Pauli(label).to_matrix() for label, weight in weights.items()]


# -- random problems -----------------------------------------------------------------------------------------------

SYMMETRY_CLASSES = ("none", "strong", "weak", "broken")
_RATES = st.integers(1, 40).map(lambda k: k / 100)
_WEIGHTS = st.sampled_from([1.0, -1.0, 0.5, -0.5, 2.0, 0.3, -0.7])
_NUMBERS = st.integers(-30, 30).map(lambda k: k / 10)
_CONSERVING = ("xy", "xy", "xy_beta", "xy_free_beta", "rzz", "cp", "rz", "p", "rxx_ryy", "swap", "cz", "iswap", "s")
_BREAKING = ("rx", "ry", "h", "cx", "rxx")


def random_theta(problem: Any, seed: int) -> np.ndarray:
    """Uniform angles in (-pi, pi), shape (K,)."""
    return np.random.default_rng(seed).uniform(-math.pi, math.pi, len(problem.circuit.parameters))


class _Angles:
    """Draws angles: a new parameter, one used before with a coefficient, a sum of two, or a number."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.used: list[Parameter] = []

    def new(self) -> Parameter:
        # ten names sort as p0, p1, p10, p2: the order of circuit.parameters is not that of creation
        self.used.append(Parameter(f"p{len(self.used)}"))
        return self.used[-1]

    def __call__(self) -> Any:
        kind = self.draw(st.sampled_from(["new", "new", "shared", "sum", "number"]))
        if kind == "number":
            return self.draw(_NUMBERS)
        if kind == "new" or not self.used:
            return self.new()
        old = self.draw(st.sampled_from(self.used))
        coefficient = self.draw(st.sampled_from([-1.0, 0.5, 2.0, -0.3]))
        if kind == "shared":
            return coefficient * old + self.draw(st.sampled_from([0.0, 0.4]))
        return coefficient * old - 0.7 * self.new()


def _append(circuit: QuantumCircuit, kind: str, pair: Sequence[int], angle: Callable[[], Any], draw: st.DrawFn) -> None:
    first, second = pair
    if kind == "xy":
        circuit.append(XXPlusYYGate(angle()), pair)
    elif kind == "xy_beta":
        circuit.append(XXPlusYYGate(angle(), draw(_NUMBERS)), pair)
    elif kind == "xy_free_beta":
        circuit.append(XXPlusYYGate(angle(), angle()), pair)
    elif kind == "rxx_ryy":
        shared = angle()
        circuit.rxx(shared, first, second)
        circuit.ryy(shared, first, second)
    elif kind in ("rzz", "cp", "rxx"):
        getattr(circuit, kind)(angle(), first, second)
    elif kind in ("rz", "p", "rx", "ry"):
        getattr(circuit, kind)(angle(), first)
    elif kind in ("swap", "cz", "iswap", "cx"):
        getattr(circuit, kind)(first, second)
    else:
        getattr(circuit, kind)(first)


@st.composite
def _circuits(draw: st.DrawFn, num_qubits: int, breaking: bool) -> QuantumCircuit:
    circuit = QuantumCircuit(num_qubits)
    angle = _Angles(draw)
    pairs = st.lists(st.integers(0, num_qubits - 1), min_size=2, max_size=2, unique=True)
    depth = draw(st.integers(1, 4))
    broken_layer = draw(st.integers(0, depth - 1)) if breaking else None
    for layer in range(depth):
        if layer == 0:
            circuit.append(XXPlusYYGate(angle.new()), draw(pairs))
        for kind in draw(st.lists(st.sampled_from(_CONSERVING), min_size=1, max_size=num_qubits + 1)):
            _append(circuit, kind, draw(pairs), angle, draw)
        if layer == broken_layer:
            _append(circuit, draw(st.sampled_from(_BREAKING)), draw(pairs), angle, draw)
        # also after the last layer: a circuit without any barrier is layered as soon as possible
        circuit.barrier(label="layer")
    return circuit


@st.composite
def _readouts(draw: st.DrawFn, num_qubits: int) -> SparsePauliOp:
    pairs = st.lists(st.integers(0, num_qubits - 1), min_size=2, max_size=2, unique=True)
    terms: list[tuple[str, list[int], float]] = []
    for kind in draw(st.lists(st.sampled_from(["Z", "ZZ", "hopping", "current"]), min_size=1, max_size=3)):
        # positive coefficients cannot cancel to the zero operator
        weight = draw(st.sampled_from([1.0, 0.5, 0.3]))
        pair = draw(pairs)
        if kind == "Z":
            terms.append(("Z", pair[:1], weight))
        elif kind == "ZZ":
            terms.append(("ZZ", pair, weight))
        elif kind == "hopping":
            terms += [("XX", pair, weight), ("YY", pair, weight)]
        else:
            ordered = sorted(pair)
            terms += [("XY", ordered, weight), ("YX", ordered, -weight)]
    return SparsePauliOp.from_sparse_list(terms, num_qubits=num_qubits)


@st.composite
def _initial_states(draw: st.DrawFn, num_qubits: int) -> Any:
    kind = draw(st.sampled_from(["bits", "bits", "product", "dicke"]))
    if kind == "bits":
        return "".join(draw(st.lists(st.sampled_from("01"), min_size=num_qubits, max_size=num_qubits)))
    if kind == "product":
        qubit_states = []
        for _ in range(num_qubits):
            polar = draw(st.sampled_from([0.0, math.pi, 0.7, 2.0]))
            phase = draw(st.sampled_from([0.0, 1.3]))
            qubit_states.append([math.cos(polar / 2), math.sin(polar / 2) * complex(math.cos(phase), math.sin(phase))])
        return np.array(qubit_states)
    charge = draw(st.integers(1, num_qubits - 1))
    inside = np.array([x.bit_count() == charge for x in range(2**num_qubits)])
    return Statevector(inside / math.sqrt(inside.sum()))


@st.composite
def _noise_tables(
    draw: st.DrawFn, num_qubits: int, depth: int, kinds: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    qubits = st.integers(0, num_qubits - 1)
    subsets = st.lists(qubits, min_size=1, max_size=num_qubits, unique=True)
    two = st.lists(qubits, min_size=2, max_size=2, unique=True)
    noise: dict[str, list[dict[str, Any]]] = {}
    for kind in kinds:
        place = draw(st.none() | st.lists(st.integers(0, depth - 1), min_size=1, max_size=depth, unique=True))
        common = {} if place is None else {"layers": place}
        rate = draw(_RATES)
        if kind == "local":
            noise.setdefault("dephasing", []).append({"rate": rate, "weights": "each", **common})
        elif kind == "collective":
            noise.setdefault("dephasing", []).append({"rate": rate, "weights": "all", **common})
        elif kind == "correlated":
            weights = {q: draw(_WEIGHTS) for q in draw(subsets)}
            noise.setdefault("dephasing", []).append({"rate": rate, "weights": weights, **common})
        elif kind == "zero":
            noise.setdefault("dephasing", []).append({"rate": 0.0, **common})
        elif kind == "z_string":
            pauli = "".join(f"Z{q}" for q in draw(subsets))
            noise.setdefault("pauli", []).append({"pauli": pauli, "rate": rate, **common})
        elif kind == "relaxation":
            up = draw(st.just(0.0) | _RATES)
            noise.setdefault("relaxation", []).append({"qubit": draw(qubits), "down": rate, "up": up, **common})
        elif kind == "pumping":
            noise.setdefault("relaxation", []).append({"qubit": draw(qubits), "up": rate, **common})
        elif kind == "decay":
            noise.setdefault("relaxation", []).append({"qubit": "each", "down": rate, **common})
        elif kind == "depolarizing":
            noise.setdefault("depolarizing", []).append({"qubits": [draw(qubits)], "rate": rate, **common})
        elif kind == "depolarizing_pair":
            noise.setdefault("depolarizing", []).append({"qubits": draw(two), "rate": rate, **common})
        else:
            touched = draw(subsets)
            letters = [draw(st.sampled_from("XY")), *(draw(st.sampled_from("XYZ")) for _ in touched[1:])]
            pauli = "".join(f"{p}{q}" for p, q in zip(letters, touched, strict=True))
            noise.setdefault("pauli", []).append({"pauli": pauli, "rate": rate, **common})
    return noise


_STRONG = ("local", "collective", "correlated", "z_string", "zero")
_WEAK = ("relaxation", "pumping", "decay", "depolarizing", "depolarizing_pair")


@st.composite
def random_problems(draw: st.DrawFn, symmetry_class: str, min_qubits: int = 2, max_qubits: int = 4) -> Any:
    """A random ``equinoise.Problem`` whose noise (or circuit) is of one symmetry class.

    Args:
        draw: Given by Hypothesis.
        symmetry_class: "none" (no noise), "strong" (diagonal jumps), "weak" (relaxation, depolarizing, with dephasing)
            or "broken" (X or Y Pauli jumps, or gates that change the charge).
        min_qubits: Smallest number of qubits drawn.
        max_qubits: Largest number of qubits drawn; beyond 5 the twin is too slow.
    """
    from equinoise.noise.model import NoiseModel

    if symmetry_class not in SYMMETRY_CLASSES:
        raise ValueError(f"symmetry_class must be one of {SYMMETRY_CLASSES}, got {symmetry_class!r}")
    n = draw(st.integers(min_qubits, max_qubits))
    broken_by = draw(st.sampled_from(["noise", "gates", "both"])) if symmetry_class == "broken" else ""
    circuit = draw(_circuits(n, breaking=broken_by in ("gates", "both")))
    depth = circuit.count_ops()["barrier"]
    kinds: list[str] = []
    if symmetry_class == "strong":
        kinds = draw(st.lists(st.sampled_from(_STRONG[:-1]), min_size=1, max_size=3))
        kinds += draw(st.lists(st.just("zero"), max_size=1))
    elif symmetry_class == "weak":
        kinds = draw(st.lists(st.sampled_from(_WEAK), min_size=1, max_size=3))
        kinds += draw(st.lists(st.sampled_from(_STRONG), max_size=2))
    elif symmetry_class == "broken":
        kinds = draw(st.lists(st.sampled_from(_STRONG + _WEAK), max_size=2))
        kinds += ["flip"] if broken_by in ("noise", "both") else []
    noise = NoiseModel.from_dict(draw(_noise_tables(n, depth, kinds)))
    initial = draw(_initial_states(n))
    charges = _charges(_amplitudes(initial, n))
    projected = draw(st.booleans())
    options: dict[str, Any] = {}
    if projected and len(charges) > 1:
        options["charge"] = draw(st.sampled_from(charges))
    if symmetry_class == "broken":
        options["allow_broken"] = True
    readout = draw(_readouts(n))
    return build_problem(circuit, readout=readout, initial=initial, noise=noise, projected=projected, **options)


def hop_phase_hop(noise, layer=0, initial="01"):
    """XX+YY, noise, RZ on qubit 0, XX+YY on |01>: an interferometer of one excitation."""
    import equinoise as eq

    a, b, c = (Parameter(name) for name in "abc")
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(a), [0, 1])
    circuit.barrier(label="layer")
    circuit.rz(b, 0)
    circuit.append(XXPlusYYGate(c), [0, 1])
    placed = {kind: [{**term, "layers": [layer]} for term in terms] for kind, terms in noise.items()}
    return eq.Problem(circuit, readout="Z0", initial=initial, noise=placed)


# -- pure states with phases inserted -------------------------------------------------------------------------------


class PhaseTwin:
    """Values and gradients of a circuit with given diagonal phases after each layer: Qiskit's matrices, 2^n amplitudes.

    Args:
        problem: A problem; its noise is ignored, its readout is not projected.
        theta: Angles, shape (K,), order of circuit.parameters.
    """

    def __init__(self, problem: Any, theta: Sequence[float]) -> None:
        self.problem = problem
        self.readout = problem.readout.to_matrix()
        self.state = np.asarray(problem.initial.statevector())
        self.unitaries = layer_unitaries(problem, theta)
        # 6th-order differences: error of order step^6 = 1e-12 and 1e-16/step
        step, weights = 0.01, {1: 0.75, 2: -0.15, 3: 1 / 60}
        self.slopes: list[list[np.ndarray]] = []
        for k in range(len(problem.parameters)):
            total = [np.zeros_like(u) for u in self.unitaries]
            for m, w in weights.items():
                for sign in (1, -1):
                    moved = np.array(theta, dtype=float)
                    moved[k] += sign * m * step
                    for number, u in enumerate(layer_unitaries(problem, moved)):
                        total[number] += sign * w / step * u
            self.slopes.append(total)

    def gradients(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """C and dC/dtheta with exp(-i angles[b, l, q] Z_q) on every qubit after layer l.

        Args:
            angles: Shape (B, L, n), radians.

        Returns:
            Shapes (B,) and (B, K).
        """
        signs = np.array([[1 - 2 * (x >> q & 1) for q in range(angles.shape[2])] for x in range(self.state.size)])
        phases = np.exp(-1j * angles @ signs.T)
        before, psi = [], np.repeat(self.state[None, :], angles.shape[0], axis=0)
        for number, u in enumerate(self.unitaries):
            before.append(psi)
            psi = (psi @ u.T) * phases[:, number]
        seen = psi @ self.readout.T
        values = np.einsum("bx,bx->b", psi.conj(), seen).real
        gradient = np.zeros((angles.shape[0], len(self.slopes)))
        for number in range(len(self.unitaries) - 1, -1, -1):
            seen = seen * phases[:, number].conj()
            for k, slopes in enumerate(self.slopes):
                if np.any(slopes[number]):
                    gradient[:, k] += 2 * np.einsum("bx,bx->b", seen.conj(), before[number] @ slopes[number].T).real
            seen = seen @ self.unitaries[number].conj()
        return values, gradient


def layer_unitaries(problem: Any, theta: Sequence[float]) -> list[np.ndarray]:
    """Each layer's unitary by Qiskit, shape (2^n, 2^n), qubit 0 least significant."""
    bound = problem.circuit.assign_parameters(dict(zip(problem.circuit.parameters, theta, strict=True)))
    out = []
    for layer in problem.layers:
        circuit = QuantumCircuit(problem.num_qubits)
        for gate in layer.gates:
            circuit.append(bound.data[gate.position].operation, gate.qubits)
        out.append(Operator(circuit).data)
    return out


def gaussian_average(twin: PhaseTwin, factors: Sequence[np.ndarray], scale: float, nodes: int) -> Any:
    """Mean value and gradient over Gaussian phases, by Gauss-Hermite quadrature in every independent variable.

    Args:
        twin: The circuit.
        factors: Per independent standard normal the angles that it turns at scale 1, shape (L, n).
        scale: Noise scale s.
        nodes: Of the quadrature, per variable; exact for polynomials of degree 2 nodes - 1.

    Returns:
        The mean of C, and of dC/dtheta, shape (K,).
    """
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    grids = np.meshgrid(*[x] * len(factors), indexing="ij")
    weights = functools.reduce(np.multiply.outer, [w / w.sum()] * len(factors)).ravel()
    points = np.stack([grid.ravel() for grid in grids], axis=1)
    values, gradients = twin.gradients(math.sqrt(scale) * np.einsum("bj,jlq->blq", points, np.stack(factors)))
    return float(weights @ values), weights @ gradients
