"""Noise on the commutant's coordinates: generators that keep it, and their exponentials.

A generator is kept as one sparse matrix L where that is small, else as the operators of its couplings. exp(s L) is
exact: element by element where L is diagonal; by dense exponentials where L falls into small connected components; by
interpolation in L at its known eigenvalues where these are few; else by the Taylor series in steps. The limit
s = infinity is the projector on the kernel, by component, or by the product of (1 - L/lambda) over the eigenvalues
lambda < 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array, eye_array, kron
from scipy.sparse.csgraph import connected_components

from equinoise.errors import UnsupportedError
from equinoise.symmetry.commutant_basis import Commutant, Coupling
from equinoise.symmetry.components import component_stacks, put_together

__all__ = ["DiagonalMap", "Exponential", "NoiseGenerator", "SparseMap", "exponential", "merged", "noise_generator"]

Complex = npt.NDArray[np.complex128]
Real = npt.NDArray[np.float64]
_Operator = Any  # csr_array | Complex: what multiplies a block from the left or right

# elements up to which a generator is one sparse matrix
MAX_ELEMENTS = 6_000_000
# what calling a product of two small matrices costs, in multiplications
CALL = 5000
# dense exponentials: greatest component, and elements in all
MAX_COMPONENT = 48
MAX_DENSE = 8_000_000
# nodes up to which the polynomial in L is made a sparse matrix, and up to which it is applied at finite scales
MAX_SPARSE_NODES = 3
MAX_NODES = 12
# norm of one Taylor step
STEP = 3.0
MAX_PRODUCTS = 100_000
KERNEL = 1e-10


class NoiseGenerator:
    """sum_a rate_a D[K_a] on coordinates: as one matrix if given, else by operators.

    Args:
        commutant: The coordinates.
        rates: Its distinct eigenvalues, 0 first; None where they are too many.
        bound: At least its norm.
        matrix: L.
        couplings: Of sum_a rate_a K_a X K_a^dag.
        decay: Blocks M_lambda of sum_a rate_a K_a^dag K_a, sparse, one per block.
    """

    def __init__(
        self,
        commutant: Commutant,
        rates: tuple[float, ...] | None,
        bound: float,
        *,
        matrix: csr_array | None = None,
        couplings: Sequence[Coupling] = (),
        decay: Sequence[csr_array] = (),
    ) -> None:
        self.commutant = commutant
        self.rates = rates
        self.bound = bound
        self.matrix = matrix
        self._adjoint = None if matrix is None else csr_array(matrix.conj().T)
        m = commutant.multiplicities
        self._operators: list[tuple[int, int, list[tuple[_Operator, _Operator]]]] = []
        for c in couplings:
            shape = (m[c.target], m[c.source])
            made = [_dense_if_full(csr_array(coo_array((v, (c.rows, c.columns)), shape=shape))) for v in c.values]
            self._operators.append((c.target, c.source, [(a, a.conj().T) for a in made]))
        self._decay: list[complex | _Operator] = [_scalar_if_so(block) for block in decay]

    def apply(self, x: Complex) -> Complex:
        """L x, shape (orders, numbers)."""
        if self.matrix is not None:
            return _times(self.matrix, x)
        return self._by_operators(x, forward=True)

    def apply_adjoint(self, x: Complex) -> Complex:
        """L^dag x."""
        if self._adjoint is not None:
            return _times(self._adjoint, x)
        return self._by_operators(x, forward=False)

    def _by_operators(self, x: Complex, *, forward: bool) -> Complex:
        # L X = sum_a rate_a (K X K^dag - (K^dag K X + X K^dag K)/2), block by block: a coupling takes the block of the
        # source irrep to that of the target by operators that have sqrt(rate) in them; the adjoint map has K^dag on the
        # left.
        out = np.zeros_like(x)
        starts, sizes = self.commutant.starts, self.commutant.multiplicities
        for order in range(x.shape[0]):
            given = [x[order, a : a + m * m].reshape(m, m) for a, m in zip(starts, sizes, strict=False)]
            made = [out[order, a : a + m * m].reshape(m, m) for a, m in zip(starts, sizes, strict=False)]
            for target, source, operators in self._operators:
                end, begin = (target, source) if forward else (source, target)
                for a, dagger in operators:
                    left, right = (a, dagger) if forward else (dagger, a)
                    made[end] += left @ given[begin] @ right
            for decay, here, result in zip(self._decay, given, made, strict=True):
                result[:] -= decay * here if isinstance(decay, complex) else 0.5 * (decay @ here + here @ decay)
        return out


def _elements(commutant: Commutant, couplings: tuple[Coupling, ...], decay: list[csr_array]) -> int:
    """At most so many elements has L as one matrix."""
    coupled = sum(c.rows.size**2 for c in couplings)
    return int(coupled + sum(2 * b.nnz * m for b, m in zip(decay, commutant.multiplicities, strict=True)))


def _products(commutant: Commutant, couplings: tuple[Coupling, ...], decay: list[csr_array]) -> int:
    """Multiplications that L x takes by operators, and for each product with one what its call costs."""
    m = commutant.multiplicities
    coupled = sum(len(c.values) * (c.rows.size * (m[c.source] + m[c.target]) + CALL) for c in couplings)
    return int(coupled + sum(2 * (b.nnz * size + CALL) for b, size in zip(decay, m, strict=True)))


def _times(matrix: csr_array, x: Complex) -> Complex:
    if x.shape[0] == 1:
        return np.asarray(matrix @ x[0])[None]
    return np.ascontiguousarray((matrix @ np.ascontiguousarray(x.T)).T)


def noise_generator(
    commutant: Commutant,
    couplings: tuple[Coupling, ...],
    decay: list[csr_array],
    rates: tuple[float, ...] | None,
    bound: float,
) -> NoiseGenerator:
    """sum_a rate_a D[K_a], twirled: as one matrix where that is small and cheaper to apply than the operators."""
    if _elements(commutant, couplings, decay) <= min(MAX_ELEMENTS, _products(commutant, couplings, decay)):
        return NoiseGenerator(commutant, rates, bound, matrix=_matrix(commutant, couplings, decay, bound))
    return NoiseGenerator(commutant, rates, bound, couplings=couplings, decay=decay)


def _scalar_if_so(matrix: csr_array) -> complex | _Operator:
    """A multiple of the identity as its number."""
    number = complex(matrix[0, 0])
    off = matrix - number * eye_array(matrix.shape[0], format="csr")
    rounding = 1e-14 * abs(number)
    return number if float(np.abs(off.data).max(initial=0.0)) <= rounding else _dense_if_full(matrix)


def _dense_if_full(matrix: csr_array) -> _Operator:
    full = matrix.nnz > 0.1 * matrix.shape[0] * matrix.shape[1]
    return np.asarray(matrix.toarray()) if full else matrix


def _matrix(commutant: Commutant, couplings: tuple[Coupling, ...], decay: list[csr_array], bound: float) -> csr_array:
    """L as one matrix: (A X A^dag)_ab = sum A_ac conj(A_bd) X_cd; elements that are rounding are left out."""
    starts, sizes = commutant.starts, commutant.multiplicities
    rows, columns, data = [], [], []
    for c in couplings:
        values = c.values.T @ c.values.conj()
        here = np.nonzero(np.abs(values) > 1e-15 * float(np.abs(values).max(initial=0.0)))
        rows.append(starts[c.target] + c.rows[here[0]] * sizes[c.target] + c.rows[here[1]])
        columns.append(starts[c.source] + c.columns[here[0]] * sizes[c.source] + c.columns[here[1]])
        data.append(values[here])
    for start, m, block in zip(starts, sizes, decay, strict=False):
        one = eye_array(m, format="csr")
        part = coo_array(-0.5 * (kron(block, one) + kron(one, block.T)))
        rows.append(start + part.row)
        columns.append(start + part.col)
        data.append(part.data)
    shape = (commutant.numbers, commutant.numbers)
    out = coo_array((np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr()
    out.data[np.abs(out.data) < 1e-14 * bound] = 0.0
    out.eliminate_zeros()
    return csr_array(out)


# -- exponentials --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DiagonalMap:
    """x -> e x."""

    factors: Complex

    def forward(self, x: Complex) -> Complex:
        """exp(s L) x."""
        return self.factors * x

    def backward(self, x: Complex) -> Complex:
        """exp(s L)^dag x."""
        return self.factors.conj() * x


class SparseMap:
    """x -> E x with E sparse."""

    def __init__(self, matrix: csr_array) -> None:
        self.matrix = matrix
        self.adjoint = csr_array(matrix.conj().T)

    def forward(self, x: Complex) -> Complex:
        """exp(s L) x."""
        return _times(self.matrix, x)

    def backward(self, x: Complex) -> Complex:
        """exp(s L)^dag x."""
        return _times(self.adjoint, x)


class _PolynomialMap:
    """x -> p(L) x in Newton's form, with p = exp(s .) at the eigenvalues of L."""

    def __init__(self, generator: NoiseGenerator, scale: float) -> None:
        self.generator = generator
        # L is diagonalisable with the eigenvalues in ``rates``: any polynomial that agrees with exp(s .) at these is
        # exp(s L) itself. Newton's form needs one product with L per node and no eigenvectors.
        self.nodes = _leja(np.array(generator.rates or (0.0,)))
        self.coefficients = _divided_differences(self.nodes, scale)

    def _apply(self, step: Callable[[Complex], Complex], x: Complex) -> Complex:
        out = self.coefficients[0] * x
        power = x
        for node, c in zip(self.nodes[:-1], self.coefficients[1:], strict=True):
            power = step(power) - node * power
            out = out + c * power
        return np.asarray(out)

    def forward(self, x: Complex) -> Complex:
        """exp(s L) x."""
        return self._apply(self.generator.apply, x)

    def backward(self, x: Complex) -> Complex:
        """exp(s L)^dag x."""
        return self._apply(self.generator.apply_adjoint, x)


class _TaylorMap:
    """x -> exp(s L) x by the Taylor series in steps of norm 3, each to rounding."""

    def __init__(self, generator: NoiseGenerator, scale: float) -> None:
        self.generator = generator
        self.steps = max(1, math.ceil(scale * generator.bound / STEP))
        if 20 * self.steps > MAX_PRODUCTS:
            raise UnsupportedError(
                f"the noise at scale {scale:g} is too strong for its exponential to be summed (norm "
                f"{scale * generator.bound:.3g}). Use a smaller scale, or infinity for the limit."
            )
        self.length = scale / self.steps

    def _apply(self, step: Callable[[Complex], Complex], x: Complex) -> Complex:
        for _ in range(self.steps):
            term, total = x, x
            for k in range(1, 60):
                term = step(term) * (self.length / k)
                total = total + term
                if float(np.abs(term).max()) <= 1e-17 * float(np.abs(total).max()):
                    break
            x = total
        return x

    def forward(self, x: Complex) -> Complex:
        """exp(s L) x."""
        return self._apply(self.generator.apply, x)

    def backward(self, x: Complex) -> Complex:
        """exp(s L)^dag x."""
        return self._apply(self.generator.apply_adjoint, x)


class _KernelMap:
    """x -> lim exp(s L) x, by the product of (1 - L/lambda), or by ever longer times until L x vanishes."""

    def __init__(self, generator: NoiseGenerator) -> None:
        self.generator = generator
        rates = generator.rates
        self.nodes = None if rates is None else [float(r) for r in _leja(np.array(rates)) if r != 0]

    def _apply(self, step: Callable[[Complex], Complex], x: Complex) -> Complex:
        size = float(np.linalg.norm(x))
        # 1 - L/lambda kills the eigenspace of lambda and leaves the kernel alone; the product over all lambda < 0 is
        # the projector on the kernel, which is the limit of exp(s L). A second and third round take out what rounding
        # left.
        for _ in range(3):
            if self.nodes is not None:
                for node in self.nodes:
                    x = x - step(x) / node
            else:
                x = self._long(step, x, size)
            if float(np.linalg.norm(step(x))) <= KERNEL * self.generator.bound * max(size, 1e-300):
                return x
        raise UnsupportedError(
            "the limit of infinite noise did not converge on the commutant. Use a large finite scale."
        )

    def _long(self, step: Callable[[Complex], Complex], x: Complex, size: float) -> Complex:
        products, time = 0, STEP / self.generator.bound
        while products < MAX_PRODUCTS:
            mapped = _TaylorMap(self.generator, time)
            x = mapped._apply(step, x)
            if float(np.linalg.norm(step(x))) <= 1e-13 * self.generator.bound * max(size, 1e-300):
                return x
            products += 25 * mapped.steps
            time *= 2
        return x

    def forward(self, x: Complex) -> Complex:
        """The limit of exp(s L) x."""
        return self._apply(self.generator.apply, x)

    def backward(self, x: Complex) -> Complex:
        """The limit of exp(s L)^dag x."""
        return self._apply(self.generator.apply_adjoint, x)


Exponential = DiagonalMap | SparseMap | _PolynomialMap | _TaylorMap | _KernelMap


def exponential(generator: NoiseGenerator, scale: float) -> Exponential:
    """exp(s L), s in (0, infinity]."""
    if generator.matrix is not None:
        found = _by_few_rates(generator.matrix, generator.rates, scale)
        if found is not None:
            return found
        found = _by_components(generator.matrix, scale, generator.bound)
        if found is not None:
            return found
    if math.isinf(scale):
        return _KernelMap(generator)
    if generator.rates is not None and len(generator.rates) <= MAX_NODES:
        return _PolynomialMap(generator, scale)
    return _TaylorMap(generator, scale)


def _by_few_rates(matrix: csr_array, rates: tuple[float, ...] | None, scale: float) -> Exponential | None:
    """The polynomial in L itself, where it has few terms and stays sparse (one term of noise has 2 or 3 rates)."""
    if rates is None or len(rates) > MAX_SPARSE_NODES or np.array_equal(*matrix.tocoo().coords):
        return None
    nodes = _leja(np.array(rates))
    one = eye_array(matrix.shape[0], format="csr")
    if math.isinf(scale):
        out = one
        for node in nodes[nodes != 0]:
            out = out - (matrix @ out) / node
    else:
        coefficients = _divided_differences(nodes, scale)
        out, power = coefficients[0] * one, one
        for node, c in zip(nodes[:-1], coefficients[1:], strict=True):
            power = matrix @ power - node * power
            out = out + c * power
    out = csr_array(out)
    out.data[np.abs(out.data) < 1e-17] = 0.0
    out.eliminate_zeros()
    return SparseMap(out) if out.nnz <= 2 * (matrix.nnz + matrix.shape[0]) else None


def _leja(nodes: Real) -> Real:
    """In the order that keeps Newton's form stable: each node as far as can be from those before it."""
    left = list(np.sort(nodes))
    out = [left.pop()]
    while left:
        distances = [float(np.sum(np.log(np.abs(np.subtract(n, out))))) for n in left]
        out.append(left.pop(int(np.argmax(distances))))
    return np.array(out)


def _divided_differences(nodes: Real, scale: float) -> Real:
    """Of exp(scale .), as the first row of the exponential of the bidiagonal matrix (stable where nodes are close)."""
    # Opitz: f(A) of the bidiagonal matrix A with the nodes on and ones above its diagonal has the divided differences
    # f[x_0], f[x_0, x_1], ... as its first row. With f = exp(scale .) that is exp(scale A).
    size = nodes.size
    matrix: Complex = scale * (np.diag(nodes) + np.diag(np.ones(size - 1), 1)).astype(np.complex128)
    return np.asarray(_dense_exponentials(matrix[None])[0, 0].real)


def _by_components(matrix: csr_array, scale: float, bound: float) -> Exponential | None:
    """Element by element, or by dense exponentials; None where components are too large for that."""
    # exp(s L) is block-diagonal where L is: connected components are exponentiated by themselves.
    coo = matrix.tocoo()
    if np.array_equal(coo.row, coo.col):
        return DiagonalMap(_scalars(matrix.diagonal(), scale, bound))
    _, labels = connected_components(abs(matrix), directed=False)
    sizes = np.bincount(labels)
    if sizes.max() > MAX_COMPONENT or float(np.sum(sizes.astype(np.float64) ** 2)) > MAX_DENSE:
        return None
    parts = []
    for stack in component_stacks(matrix, labels):
        blocks = stack.blocks
        result = _kernel_projectors(blocks, bound) if math.isinf(scale) else _dense_exponentials(scale * blocks)
        parts.append((stack.rows, stack.rows, result))
    out = put_together(parts, matrix.shape[0])
    out.data[np.abs(out.data) < 1e-17] = 0.0
    out.eliminate_zeros()
    return SparseMap(out)


def _scalars(values: Complex, scale: float, bound: float) -> Complex:
    if math.isinf(scale):
        return (np.abs(values) <= KERNEL * bound).astype(np.complex128)
    return np.exp(scale * values)


def _dense_exponentials(matrices: Complex) -> Complex:
    """Exponentials of a stack of matrices, by scaling, Taylor's series and squaring."""
    # Scaled to a norm of at most 1/4, where 17 terms are exact to rounding; squared as often as halved.
    norm = float(np.abs(matrices).sum(axis=-1).max(initial=0.0))
    halvings = max(0, math.ceil(math.log2(norm)) + 2) if norm > 0 else 0
    small = matrices / 2.0**halvings
    total = np.broadcast_to(np.eye(matrices.shape[-1], dtype=np.complex128), matrices.shape).copy()
    term = total.copy()
    for k in range(1, 18):
        term = term @ small / k
        total += term
    for _ in range(halvings):
        total = total @ total
    return total


def _kernel_projectors(matrices: Complex, bound: float) -> Complex:
    """R (L^dag R)^-1 L^dag with columns of R and L spanning the kernels of a matrix and of its adjoint."""
    # Left and right null vectors come from the SVD. The projector on the kernel along the range is R (L^dag R)^-1
    # L^dag; it exists since the eigenvalue 0 of a generator of contractions has no Jordan blocks.
    left, values, right = np.linalg.svd(matrices)
    ranks = np.sum(values > KERNEL * bound, axis=-1)
    out = np.zeros_like(matrices)
    size = matrices.shape[-1]
    for rank in np.unique(ranks):
        if rank == size:
            continue
        here = np.flatnonzero(ranks == rank)
        r = right[here, rank:].conj().transpose(0, 2, 1)
        l_dag = left[here][:, :, rank:].conj().transpose(0, 2, 1)
        out[here] = r @ np.linalg.solve(l_dag @ r, l_dag)
    return out


def merged(maps: list[Exponential]) -> list[Exponential]:
    """Commuting maps with the diagonal ones joined."""
    diagonal = [m for m in maps if isinstance(m, DiagonalMap)]
    others = [m for m in maps if not isinstance(m, DiagonalMap)]
    if len(diagonal) > 1:
        return [DiagonalMap(np.prod([m.factors for m in diagonal], axis=0)), *others]
    return [*diagonal, *others]
