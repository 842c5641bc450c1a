"""A circuit's steps exp(-i angle H) on the commutant's blocks: X -> U X U^dag, and what their gradients need.

H is diagonalised once per distinct generator. A diagonal H only turns phases, and neighbouring ones are one move; an H
that falls into small connected components acts on few rows at a time; any other is dense.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from equinoise.circuit.pauli_sums import Sum, sparse_matrix
from equinoise.circuit.steps import Step
from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.errors import SymmetryError
from equinoise.symmetry.commutant_basis import Commutant
from equinoise.symmetry.components import component_stacks

__all__ = ["DiagonalMove", "GeneralMove", "Move", "moves"]

Complex = npt.NDArray[np.complex128]
Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

# greatest component for which rows are turned by themselves
MAX_ROWS = 8
_TOLERANCE = 1e-8


class _Components:
    """One block's H by connected components, each with its eigenvectors."""

    def __init__(self, block: csr_array) -> None:
        count, labels = connected_components(abs(block), directed=False)
        order = np.argsort(labels, kind="stable")
        sizes = np.bincount(labels, minlength=count)
        self.starts: Index = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.rows: Index = order.astype(np.int64)
        self.offsets: Index = np.concatenate([[0], np.cumsum(sizes**2)]).astype(np.int64)
        self.largest = int(sizes.max())
        # A local generator mostly falls into small connected components, and exp(-i angle H) with it: a product with a
        # matrix costs the component's size a row and column instead of m. Components of one size are diagonalised as
        # one stack.
        dense = block.toarray() if self.largest > MAX_ROWS else None
        self._batches: list[tuple[Index, Real, Complex]] = []
        if dense is not None:
            values, vectors = np.linalg.eigh(dense)
            self._batches.append((np.zeros(0, dtype=np.int64), values, vectors))
            return
        for stack in component_stacks(block, labels):
            values, vectors = np.linalg.eigh(stack.blocks)
            size = stack.rows.shape[1]
            self._batches.append((self.offsets[stack.members][:, None] + np.arange(size * size), values, vectors))

    @property
    def dense(self) -> bool:
        """Whether it is one dense matrix."""
        return self.largest > MAX_ROWS

    def unitary(self, angle: float) -> Complex:
        """exp(-i angle H): dense (m, m), or the components' blocks one after another."""
        if self.dense:
            _, values, vectors = self._batches[0]
            return np.asarray((vectors * np.exp(-1j * angle * values)) @ vectors.conj().T)
        out = np.empty(self.offsets[-1], dtype=np.complex128)
        for where, values, vectors in self._batches:
            blocks = (vectors * np.exp(-1j * angle * values)[:, None, :]) @ vectors.conj().transpose(0, 2, 1)
            out[where] = blocks.reshape(where.shape)
        return out

    def inverse(self, unitary: Complex) -> Complex:
        """Its adjoint in the same form."""
        if self.dense:
            return np.ascontiguousarray(unitary.conj().T)
        out = np.empty_like(unitary)
        for where, values, _ in self._batches:
            size = values.shape[1]
            out[where] = unitary[where].reshape(-1, size, size).conj().transpose(0, 2, 1).reshape(where.shape)
        return out

    def turn(self, block: Complex, unitary: Complex) -> None:
        """Makes a Hermitian block U block U^dag, in place."""
        if self.dense:
            block[:] = (unitary @ block) @ unitary.conj().T
            return
        # (U X)^dag = X U^dag for Hermitian X
        turned = np.empty_like(block)
        buffer = np.empty((self.largest, block.shape[0]), dtype=np.complex128)
        arguments = (self.starts, self.rows, self.offsets, unitary, buffer)
        kernels.multiply_components(block, *arguments)
        kernels.conjugate_transpose(block, turned)
        kernels.multiply_components(turned, *arguments)
        block[:] = turned


@dataclass(frozen=True)
class GeneralMove:
    """One step whose H is not diagonal.

    Attributes:
        layer: Counted from 0.
        steps: The step's index among all.
        blocks: H in each block of the commutant, sparse.
        components: The same, diagonalised.
        commutant: The coordinates.
    """

    layer: int
    steps: tuple[int, ...]
    blocks: tuple[csr_array | Complex, ...]
    components: tuple[_Components, ...]
    commutant: Commutant

    def prepared(self, angles: Real) -> list[Complex]:
        """What the angles (of all steps) make of the move: one unitary a block."""
        return [c.unitary(float(angles[self.steps[0]])) for c in self.components]

    def forward(self, x: Complex, prepared: list[Complex]) -> None:
        """X <- U X U^dag in place, shape (orders, numbers)."""
        for block, components, unitary in zip(self._views(x), self.components, prepared, strict=True):
            for part in block:
                components.turn(part, unitary)

    def backward(self, x: Complex, prepared: list[Complex]) -> None:
        """X <- U^dag X U in place."""
        for block, components, unitary in zip(self._views(x), self.components, prepared, strict=True):
            inverse = components.inverse(unitary)
            for part in block:
                components.turn(part, inverse)

    def moments(self, adjoint: Complex, state: Complex) -> Real:
        """2 Im Tr[A H rho] per step and power of s, shape (orders, 1)."""
        # coordinates of A and rho carry sqrt(d) each, so that the plain sum over blocks is the whole space's trace;
        # A is Hermitian, so Tr[A H rho] = sum_ij conj(A_ij) (H rho)_ij
        orders = state.shape[0]
        out = np.zeros((orders, 1))
        for h, a, rho in zip(self.blocks, self._views(adjoint), self._views(state), strict=True):
            images = [h @ part for part in rho]
            for p in range(orders):
                for i in range(p + 1):
                    out[p, 0] += 2 * _overlap(a[i], images[p - i]).imag
        return out

    def commutator(self, x: Complex, weights: Real) -> Complex:
        """-i [w H, X] of each part, shape (orders, numbers)."""
        out = np.empty_like(x)
        weight = float(weights[self.steps[0]])
        for h, block, result in zip(self.blocks, self._views(x), self._views(out), strict=True):
            for part, target in zip(block, result, strict=True):
                image = h @ part
                target[:] = -1j * weight * (image - image.conj().T)
        return out

    def _views(self, x: Complex) -> list[Complex]:
        return _views(x, self.commutant)


@dataclass(frozen=True)
class DiagonalMove:
    """Neighbouring steps whose H are diagonal.

    Attributes:
        layer: Counted from 0.
        steps: Their indices among all.
        values: The diagonals of H, block after block, shape (steps, sum of m).
        commutant: The coordinates.
    """

    layer: int
    steps: tuple[int, ...]
    values: Real
    commutant: Commutant

    @cached_property
    def _first(self) -> tuple[int, ...]:
        return tuple(int(v) for v in np.cumsum([0, *self.commutant.multiplicities]))

    def prepared(self, angles: Real) -> list[Complex]:
        """The phases exp(-i sum angle H), one array a block."""
        phases = np.exp(-1j * (angles[list(self.steps)] @ self.values))
        return [phases[a:b] for a, b in zip(self._first, self._first[1:], strict=False)]

    def forward(self, x: Complex, prepared: list[Complex]) -> None:
        """X <- U X U^dag in place, shape (orders, numbers)."""
        for block, phase in zip(_views(x, self.commutant), prepared, strict=True):
            block[:] *= phase[:, None] * phase.conj()

    def backward(self, x: Complex, prepared: list[Complex]) -> None:
        """X <- U^dag X U in place."""
        for block, phase in zip(_views(x, self.commutant), prepared, strict=True):
            block[:] *= phase.conj()[:, None] * phase

    def moments(self, adjoint: Complex, state: Complex) -> Real:
        """2 Im Tr[A H rho] per step and power of s, shape (orders, steps)."""
        # all H of the move are diagonal and commute, so that each may be read off after the last of them:
        # Tr[A H rho] = sum_a h_a (rho A)_aa, one diagonal for all steps
        orders = state.shape[0]
        # Tr[A H rho] = sum_a h_a (rho A)_aa for a diagonal H: one diagonal serves all steps of the move.
        diagonal = np.zeros((orders, self.values.shape[1]))
        for place, (a, rho) in enumerate(
            zip(_views(adjoint, self.commutant), _views(state, self.commutant), strict=True)
        ):
            here = slice(self._first[place], self._first[place + 1])
            for p in range(orders):
                for i in range(p + 1):
                    # (rho A)_aa = sum_b rho_ab conj(A_ab)
                    diagonal[p, here] += np.einsum("ab,ab->a", rho[p - i], a[i].conj()).imag
        return np.asarray(2 * diagonal @ self.values.T)

    def commutator(self, x: Complex, weights: Real) -> Complex:
        """-i [sum w H, X] of each part, shape (orders, numbers)."""
        total = weights[list(self.steps)] @ self.values
        out = np.empty_like(x)
        for place, (block, target) in enumerate(
            zip(_views(x, self.commutant), _views(out, self.commutant), strict=True)
        ):
            h = total[self._first[place] : self._first[place + 1]]
            target[:] = -1j * (h[:, None] - h) * block
        return out


Move = GeneralMove | DiagonalMove


def _views(x: Complex, commutant: Commutant) -> list[Complex]:
    """Each block of coordinates of shape (orders, numbers) as (orders, m, m), sharing memory."""
    return [
        x[:, a : a + m * m].reshape(x.shape[0], m, m)
        for a, m in zip(commutant.starts, commutant.multiplicities, strict=False)
    ]


def _overlap(a: Complex, b: Complex) -> complex:
    """The sum of conj(a) b, not by BLAS, whose sums depend on where arrays lie in memory."""
    return complex(np.einsum("ij,ij->", a.conj(), b))


def moves(steps: Sequence[Step], commutant: Commutant) -> tuple[Move, ...]:
    """The steps in time order, those of one layer that are diagonal and neighbours joined.

    Raises:
        SymmetryError: A step's generator does not commute with the group.
    """
    known: dict[frozenset[tuple[object, float]], tuple[csr_array, ...]] = {}
    dense: dict[int, tuple[tuple[csr_array | Complex, ...], tuple[_Components, ...]]] = {}
    out: list[Move] = []
    run: list[tuple[int, Real]] = []

    def close() -> None:
        if run:
            layer = steps[run[0][0]].layer
            values = np.stack([diagonal for _, diagonal in run])
            out.append(DiagonalMove(layer, tuple(number for number, _ in run), values, commutant))
            run.clear()

    for number, step in enumerate(steps):
        key = frozenset(step.generator.items())
        if key not in known:
            known[key] = _blocks(step.generator, commutant, number)
        blocks = known[key]
        if run and steps[run[0][0]].layer != step.layer:
            close()
        if all(np.array_equal(*block.tocoo().coords) for block in blocks):
            run.append((number, np.concatenate([block.diagonal().real for block in blocks])))
            continue
        close()
        if id(blocks) not in dense:
            components = tuple(_Components(block) for block in blocks)
            kept = tuple(b.toarray() if c.dense else b for b, c in zip(blocks, components, strict=True))
            dense[id(blocks)] = kept, components
        out.append(GeneralMove(step.layer, (number,), *dense[id(blocks)], commutant))
    close()
    return tuple(out)


def _blocks(generator: Sum, commutant: Commutant, number: int) -> tuple[csr_array, ...]:
    found = commutant.found
    transformed = found.transformed(sparse_matrix(generator, found.width))
    blocks = found.twirled(transformed)
    if found.residual(transformed, blocks) > _TOLERANCE * max(1.0, float(np.abs(transformed.data).max(initial=0.0))):
        raise SymmetryError(f"step {number} of the circuit does not commute with the symmetry {found.symmetry.name!r}.")
    return tuple(blocks[k] for k in commutant.kept)
