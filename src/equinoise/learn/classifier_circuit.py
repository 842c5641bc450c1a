"""The classifier's circuit as one noisy problem, and its class values with their gradients, for whole batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.builders import brickwork
from equinoise.engines.blas_threads import one_blas_thread
from equinoise.engines.contract import memory_limit
from equinoise.errors import NoiseError, ParameterError
from equinoise.learn.loader import loader
from equinoise.learn.split_sweep import SplitSweep
from equinoise.problem import Problem
from equinoise.readout import attenuated
from equinoise.reduction.operators import OperatorEntries
from equinoise.reduction.program import compile_problem
from equinoise.reduction.shift_rules import shift_costs

__all__ = ["ClassifierCircuit", "Design", "Outcomes"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Design:
    """What is fixed before training.

    Attributes:
        num_qubits: n.
        num_classes: Class c reads the qubits c, c + C, c + 2C, ...
        excitations: Charge of the input, 1 or 2.
        depth: Layers of the trained brickwork.
        interaction: "none" (XX+YY and RZ) or "rzz".
        noise: As for a Problem; its slots count the loader's layers first.
        scale: Noise scale s.
        verified: Whether class values are post-selected on the input's charge.
    """

    num_qubits: int
    num_classes: int
    excitations: int = 1
    depth: int = 8
    interaction: Literal["none", "rzz"] = "none"
    noise: Any = None
    scale: float = 1.0
    verified: bool = False


@dataclass(frozen=True)
class Outcomes:
    """What one shot can tell: the excitations found in each class's group, and the rest of them lost.

    Attributes:
        operators: Projector on each outcome, diagonal.
        values: What each of the model's observables is in that outcome, shape (m, outcomes).
    """

    operators: tuple[OperatorEntries, ...]
    values: Real


class ClassifierCircuit:
    """A design compiled: one problem, one program, one engine; data and angles stream through.

    Args:
        design: What is fixed before training.
        workers: Threads; all processors by default.

    Attributes:
        problem: Loader and brickwork with their noise; the readout covers every qubit.
        trained: Which of the problem's parameters are trained, shape (P,).
        observables: Class counts N_c, and with verification N_c P_q and, last, P_q.

    Raises:
        ParameterError: Too few qubits for the excitations or for the classes.
        NoiseError: Assignment errors together with verification.
        MemoryLimitError: A state does not fit, for example because the noise fills all charge sectors.
        UnsupportedError: Noise correlated in time.
    """

    def __init__(self, design: Design, workers: int | None = None) -> None:
        n, classes = design.num_qubits, design.num_classes
        if classes > n:
            raise ParameterError(
                f"{classes} classes need at least {classes} qubits, one to read out each; got {n}. "
                f"Give n_qubits={classes}."
            )
        self.design = design
        self._workers = workers
        self.loader = loader(n, design.excitations)
        circuit = self.loader.circuit("x")
        circuit.compose(brickwork(n, design.depth, interaction=design.interaction), inplace=True)
        everything = SparsePauliOp.from_sparse_list([("Z", [q], 1.0) for q in range(n)], num_qubits=n)
        self.problem = Problem(circuit, everything, initial=self.loader.initial, noise=design.noise)
        place = {parameter.name: k for k, parameter in enumerate(self.problem.parameters)}
        self.data: Index = np.array([place[f"x[{i}]"] for i in range(len(self.loader.hops))], dtype=np.int64)
        self.trained: Index = np.setdiff1d(np.arange(len(place)), self.data)
        self.program = compile_problem(self.problem)
        self.engine = SplitSweep(self.program, self.loader.depth, workers)
        self.errors = {q: p for q, p in self.problem.noise.readout_error if any(p)}
        if self.errors and design.verified:
            raise NoiseError(
                "post-selection on the charge under assignment errors is not served: a misread qubit changes the "
                "charge that is found. Leave out readout_error, or verified=True."
            )
        counts = [self._count(c) for c in range(classes)]
        sector = design.excitations if design.verified else None
        self.observables: list[OperatorEntries] = [self.program.operator_entries(o, sector) for o in counts]
        if design.verified:
            identity = SparsePauliOp("I" * n)
            self.observables.append(self.program.operator_entries(identity, design.excitations))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are compiled again from the design."""
        return type(self), (self.design, self._workers)

    def _count(self, number: int) -> SparsePauliOp:
        """N_c = sum of n_i over the class's qubits, as assignment errors leave it."""
        n, classes = self.design.num_qubits, self.design.num_classes
        group = range(number, n, classes)
        terms: list[tuple[str, list[int], float]] = [("Z", [q], -0.5) for q in group]
        terms.append(("", [], len(group) / 2))
        return attenuated(SparsePauliOp.from_sparse_list(terms, num_qubits=n), self.errors)

    # -- data ----------------------------------------------------------------------------------------------------

    def _theta(self, trained: Real | None = None, data: Real | None = None) -> Real:
        theta = np.zeros(len(self.problem.parameters))
        if trained is not None:
            theta[self.trained] = trained
        if data is not None:
            theta[self.data] = data
        return theta

    def loaded(self, vectors: Real) -> Real:
        """Noisy loaded states of vectors over the qubits, shape (B, size)."""
        angles = self.loader.angles(vectors)
        one = [self._theta(data=row) for row in angles]
        states = self.engine.in_threads(lambda i: self.engine.loaded(one[i], self.design.scale), len(one))
        return np.stack(states) if states else np.empty((0, self.engine.size))

    def keeps(self, rows: int) -> bool:
        """Whether the loaded states of that many rows may stay in memory."""
        return 8 * self.engine.size * rows <= memory_limit() / 4

    # -- observables ---------------------------------------------------------------------------------------------

    def expectations(self, trained: Real, states: Real, operators: tuple[OperatorEntries, ...] | None = None) -> Real:
        """Tr[A_j rho] of each observable (or of other operators) and loaded state, shape (B, m)."""
        chosen = self.observables if operators is None else operators
        pulled = self.engine.all_pulled_back(self._theta(trained), self.design.scale, chosen)
        with one_blas_thread():
            return np.asarray(states @ pulled.T)

    def class_values(self, observed: Real) -> Real:
        """f_c, the share of the excitations in each class's group, of shape (B, C); of the kept shots if verified.

        Args:
            observed: Expectations of the observables, shape (B, m).
        """
        charge = self.design.excitations
        if not self.design.verified:
            return observed / charge
        kept = observed[:, -1:]
        return np.divide(observed[:, :-1], charge * kept, out=np.zeros_like(observed[:, :-1]), where=kept > 0)

    def weights(self, observed: Real, slopes: Real) -> Real:
        """dl/d<A_j> from dl/df_c, shape (B, m); both by row."""
        charge = self.design.excitations
        if not self.design.verified:
            return slopes / charge
        kept = observed[:, -1:]
        share = np.divide(1.0, kept, out=np.zeros_like(kept), where=kept > 0)
        values = self.class_values(observed)
        return np.hstack([slopes * share / charge, -np.sum(slopes * values, axis=1, keepdims=True) * share])

    def gradient(self, trained: Real, states: Real, weights: Real) -> Real:
        """Sum over rows and observables of weight times d<A_j>/dtheta, shape (P,): one sweep per observable."""
        with one_blas_thread():
            mixed = weights.T @ states
        theta, scale = self._theta(trained), self.design.scale
        parts = self.engine.in_threads(
            lambda j: self.engine.gradient_from(theta, scale, self.observables[j], mixed[j]), len(self.observables)
        )
        return np.asarray(np.sum(parts, axis=0)[self.trained])

    # -- shots ---------------------------------------------------------------------------------------------------

    @cached_property
    def outcomes(self) -> Outcomes:
        """What a shot of all qubits can tell of the classes.

        Raises:
            NoiseError: With assignment errors.
        """
        if self.errors:
            raise NoiseError("shots under assignment errors are not served. Leave out readout_error, or shots.")
        n, classes = self.design.num_qubits, self.design.num_classes
        member = np.zeros((n, classes), dtype=np.int64)
        member[np.arange(n), np.arange(n) % classes] = 1
        found: dict[tuple[int, ...], dict[int | None, Index]] = {}
        for q in self.program.charges:
            occupations = self.program.sectors[q].occupations.astype(np.int64)
            patterns, where = np.unique(occupations @ member, axis=0, return_inverse=True)
            for i, pattern in enumerate(patterns):
                found.setdefault(tuple(pattern.tolist()), {})[q] = np.flatnonzero(where.ravel() == i)
        none = np.array([], dtype=np.int64)
        operators: list[OperatorEntries] = []
        for blocks in found.values():
            rows = {q: blocks.get(q, none) for q in self.program.charges}
            operators.append({q: (r, r, np.ones(r.size, dtype=np.complex128)) for q, r in rows.items()})
        values = np.array(list(found), dtype=np.float64)
        if self.design.verified:
            kept = (values.sum(axis=1) == self.design.excitations)[:, None]
            values = np.hstack([values * kept, kept])
        return Outcomes(tuple(operators), np.ascontiguousarray(values.T))

    @cached_property
    def shift_weights(self) -> Real:
        """Variance of each trained angle's shift-rule derivative from N shots per term, over Var/N, shape (P,)."""
        return shift_costs(self.program).noise[self.trained]
