"""What measuring the qubits of a circuit yields: the exact distribution of its final state, and samples of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from equinoise.engines.batch import Batch
from equinoise.errors import UnsupportedError
from equinoise.interop.expectations import full_space_note, stated_problem
from equinoise.qubit_layout import without_layout

__all__ = ["OutcomeProblem"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Bits = npt.NDArray[np.uint8]

# probabilities that are held at once
_AT_ONCE = 2**22


class OutcomeProblem:
    """A circuit with its noise, and the qubits that are measured at its end.

    Args:
        circuit: As ``ExpectationProblem`` takes it.
        qubits: Those measured; their light cone is what is computed.
        options: ``noise``, ``initial``, ``at`` as :class:`equinoise.Problem` takes them; its readout errors enter the
            samples. ``full_space``: as ``ExpectationProblem``.

    Attributes:
        warnings: What was assumed, dropped or clipped, and why the full space was taken.
        full_space: The last of these alone.
        engine: "state-vector" without noise, else "exact".
        reduction: Cone qubits, charges held and complex numbers of a density matrix in them.
    """

    def __init__(
        self, circuit: QuantumCircuit, qubits: Sequence[int], full_space: bool = False, **options: Any
    ) -> None:
        circuit = without_layout(circuit)
        self.qubits = tuple(qubits)
        self._problem, self._angles = stated_problem(circuit, self.qubits, allow_broken=full_space, **options)
        self._batch = Batch(self._problem)
        self._place = {q: i for i, q in enumerate(self._batch.program.cone.qubits)}
        self._errors = dict(self._problem.noise.readout_error)
        self.full_space = full_space_note(self._problem)
        self.warnings = (*self._problem.warnings, *self.full_space)
        self.engine, self.workers, self.reduction = self._batch.engine, self._batch.workers, self._batch.reduction

    def conserves_at(self, theta: Real) -> bool:
        """Whether it may be asked for samples at theta: always, if the charge was asked for everywhere."""
        return self._problem.at is None or self._problem.conserves_at(self._own(theta[None])[0])

    def samples(self, thetas: Real, shots: int, rng: np.random.Generator) -> Bits:
        """Measured bits at each row of thetas, shape (S, K) -> (S, shots, qubits), readout errors included."""
        own = self._own(thetas)
        occupations = [self._batch.program.sectors[q].occupations for q in self._batch.charges]
        places = [self._place[q] for q in self.qubits]
        out = np.zeros((len(own), shots, len(places)), dtype=np.uint8)
        step = max(1, _AT_ONCE // sum(len(rows) for rows in occupations))
        for start in range(0, len(own), step):
            populations = self._batch.populations(own[start : start + step])
            together = np.hstack([populations[q] for q in self._batch.charges])
            filled = np.vstack([rows[:, places] for rows in occupations])
            for number, row in enumerate(together, start):
                # rounding leaves probabilities of -1e-17
                edges = np.cumsum(np.maximum(row, 0.0))
                drawn = np.searchsorted(edges, rng.random(shots) * edges[-1], side="right")
                out[number] = filled[np.minimum(drawn, len(edges) - 1)]
        return self._misread(out, rng)

    def _misread(self, bits: Bits, rng: np.random.Generator) -> Bits:
        for i, qubit in enumerate(self.qubits):
            up, down = self._errors.get(qubit, (0.0, 0.0))
            if up or down:
                chance = np.where(bits[..., i] == 0, up, down)
                bits[..., i] ^= (rng.random(chance.shape) < chance).astype(np.uint8)
        return bits

    def state(self, theta: Real) -> Complex:
        """The 2^n amplitudes without noise, up to a global phase; qubit 0 is the least significant bit.

        Raises:
            UnsupportedError: There is noise.
        """
        width = self._problem.num_qubits
        if self.engine != "state-vector":
            raise UnsupportedError("a noisy state is no vector. Leave the noise out, or measure expectation values.")
        out = np.zeros(2**width, dtype=np.complex128)
        everything = 1 << np.array(self._batch.program.cone.qubits, dtype=np.int64)
        for q, states in self._batch.states(self._own(theta[None])):
            out[self._batch.program.sectors[q].occupations.astype(np.int64) @ everything] += states[0]
        return out

    def _own(self, thetas: Real) -> Real:
        return thetas if self._angles is None else self._angles.values(thetas)
