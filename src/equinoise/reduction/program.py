"""The compiled problem: what every engine accepts.

Built once per problem: cone, charge sectors, row tables of each qubit pair, rotations of each block, noise per slot.
Parameters stream through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp
from scipy.sparse import csr_matrix

from equinoise.errors import ReadoutError, StateError
from equinoise.initial import InitialState, charge_distribution
from equinoise.problem import Problem
from equinoise.readout import support
from equinoise.reduction.block_program import KernelBlock, KernelForms, kernel_rotations
from equinoise.reduction.compiled import CompiledProblem, IsotypicSector
from equinoise.reduction.light_cone import light_cone
from equinoise.reduction.operators import Entries, OperatorEntries, entries_of, operator_block
from equinoise.reduction.prepared import Kept, prepared
from equinoise.reduction.row_tables import PairTables, RowIndex, TableKey, pair_tables
from equinoise.reduction.sector import Sector, sector
from equinoise.reduction.slots.noise_class import NoiseClass, noise_class
from equinoise.reduction.slots.slot_program import SlotProgram, coherence_rates, compile_slot, jump_phases

__all__ = ["LayerProgram", "Program", "compile_problem"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True)
class LayerProgram:
    """One layer's kernel blocks, forwards and (reversed) backwards.

    Attributes:
        start: First block of the layer in the program's list.
        stop: One past the last.
        kind: PAIR or the number of rows mixed, per block, shape (m,).
        table: Which row table a block uses, shape (m,).
    """

    start: int
    stop: int
    kind: Index
    table: Index

    @cached_property
    def reversed(self) -> tuple[Index, Index]:
        """Kinds and tables, last block first."""
        return np.ascontiguousarray(self.kind[::-1]), np.ascontiguousarray(self.table[::-1])


class _PerCharge(dict[int | None, T]):
    """What is built once for each charge block that an engine asks for."""

    def __init__(self, build: Callable[[int | None], T]) -> None:
        super().__init__()
        self._build = build

    def __missing__(self, charge: int | None) -> T:
        self[charge] = self._build(charge)
        return self[charge]


class Program(CompiledProblem):
    """A problem compiled for the engines that work in charge sectors, or in the full space.

    Attributes:
        full: Whether it works in the full space of the cone (broken or no symmetry) instead of charge blocks.
        charges: The charge blocks it holds ((None,) in the full space).
        sectors: Their tables, each built on first use.
        tables: Row tables of every block's qubits in a charge block, built on first use.
        layers: Which blocks act in each layer.
        kind: PAIR or the number of rows mixed, for every kernel block (a wide block is several), shape (m,).
        table: Which row table every block uses, shape (m,).
    """

    engines = ("exact", "free-fermion", "state-vector", "trajectories", "replica")

    def __init__(self, problem: Problem, *, reduce: bool = True) -> None:
        self._reduce = reduce
        # the projector on a global sector sees every qubit unless all that acts conserves the charge strongly
        sees_all = problem.projected and not (problem.conserves and noise_class(problem.slots) in ("none", "strong"))
        super().__init__(problem, light_cone(problem, everything=sees_all or not reduce))
        self.noise_class = noise_class(self.cone.slots)
        self.full = (
            not reduce or self.noise_class == "broken" or not self.noise_class.blockwise or not problem.conserves
        )
        if self.noise_class == "none" and self.processes:
            self.noise_class = NoiseClass("strong")
        self._weights = self._charge_weights()
        self.charges: tuple[int | None, ...] = self._charges()
        self.sectors: Mapping[int | None, Sector] = _PerCharge(lambda q: sector(self.width, q))
        self._compile_blocks()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), reduce=self._reduce), (self.problem,)

    # -- sizes ---------------------------------------------------------------------------------------------------

    def _charges(self) -> tuple[int | None, ...]:
        if self.full:
            return (None,)
        low, high = min(self._weights), max(self._weights)
        lowers = any(slot.changes_charge[0] for slot in self.slots)
        raises = any(slot.changes_charge[1] for slot in self.slots)
        if not lowers and not raises:
            return tuple(sorted(self._weights))
        return tuple(range(0 if lowers else low, (self.width if raises else high) + 1))

    @property
    def dimensions(self) -> tuple[int, ...]:
        """Dimension of each charge block."""
        return tuple(2**self.width if q is None else math.comb(self.width, q) for q in self.charges)

    @property
    def kept_symmetry(self) -> str:
        """The symmetry that circuit and noise keep, in words."""
        return "none" if self.full else "charge"

    @property
    def isotypic_sectors(self) -> tuple[IsotypicSector, ...]:
        """Its charge blocks; all states in the full space."""
        labels = ["all states" if q is None else f"q={q}" for q in self.charges]
        return tuple(IsotypicSector(label, d, 1) for label, d in zip(labels, self.dimensions, strict=True))

    @property
    def numbers(self) -> int:
        """Complex numbers that one state holds: sum of D^2 over the blocks."""
        return sum(d * d for d in self.dimensions)

    # -- noise ---------------------------------------------------------------------------------------------------

    def unrestricted_slot(self, layer: int) -> SlotProgram:
        """A slot's noise on all cone qubits, whether or not the readout sees them there.

        Where it would lead to charges that the program does not hold, the seen part alone.
        """
        restricted = self.problem.slots[layer].restricted(frozenset(self.cone.qubits))
        whole = compile_slot(restricted, self._local)
        lowers, raises = whole.changes_charge
        held = [q for q in self.charges if q is not None]
        if held and ((lowers and min(held) > 0) or (raises and max(held) < self.width)):
            return self.slots[layer]
        return whole

    def phases(self, slot: SlotProgram, charge: int | None) -> tuple[Real, Real]:
        """Jump eigenvalues and rates on a charge block; see :func:`jump_phases`."""
        return jump_phases(slot, self.sectors[charge])

    def coherence_rates(self, slot: SlotProgram, charge: int | None, rows: slice = slice(None)) -> Real:
        """Decay rates of a charge block's elements; see :func:`coherence_rates`."""
        return coherence_rates(slot, self.sectors[charge], rows)

    # -- states and readout --------------------------------------------------------------------------------------

    def _charge_weights(self) -> dict[int, float]:
        """Charges of the cone's qubits in the input, with the weight of each block (1 where the block says itself)."""
        # A projector on the charge of all n qubits is P_q = sum_k (P_k on the cone) (x) (P_{q-k} outside). Gates
        # outside the cone conserve the charge, so block k counts with the input's probability of q - k outside.
        problem, qubits = self.problem, list(self.cone.qubits)
        state = problem.initial
        if self.full:
            return {0: 1.0}
        if state.product is None:
            present = np.flatnonzero(np.abs(self._reduced_vectors()).sum(axis=1) > 1e-12)
            return dict.fromkeys({int(x).bit_count() for x in present}, 1.0)
        inside = charge_distribution(state.product[qubits])
        weights = {q: 1.0 for q in range(self.width + 1) if inside[q] > 1e-14}
        if problem.projected and problem.charge is not None and self.width < problem.num_qubits:
            rest = [q for q in range(problem.num_qubits) if q not in self._local]
            outside = charge_distribution(state.product[rest])
            weights = {
                q: float(outside[problem.charge - q])
                for q in weights
                if 0 <= problem.charge - q < outside.size and outside[problem.charge - q] > 1e-14
            }
        elif problem.projected and self.noise_class in ("none", "strong"):
            weights = {q: 1.0 for q in weights if q == problem.charge}
        return weights

    @property
    def charge_weights(self) -> dict[int, float]:
        """With which weight each charge of the cone's qubits counts: the sector's share for a projected readout."""
        return dict(self._weights)

    def _reduced(self, _: int | None, theta: Real | None) -> Complex:
        return self._reduced_vectors(theta)

    def _reduced_vectors(self, theta: Real | None = None) -> Complex:
        """Shape (2^w, 2^(n-w)): the state vector with cone qubits as rows, projected on the sector if asked."""
        # A preparation entangles the cone's qubits with those outside: all of them are in the vector, and those outside
        # are traced out as V V^dag. Of what is left, coherences between charges are not looked at: gates and weakly
        # symmetric noise commute with rho -> e^(i phi Q) rho e^(-i phi Q), so that an element |x><y| with q(x) != q(y)
        # stays among such, and a readout that commutes with Q has no trace with any of them.
        problem = self.problem
        n = problem.num_qubits
        state = problem.initial if theta is None else problem.state_behind(theta)
        vector = state.statevector()
        if (
            problem.projected
            and problem.charge is not None
            and self.noise_class in ("none", "strong")
            and not self.full
        ):
            weight = np.bitwise_count(np.arange(2**n, dtype=np.uint64))
            vector = np.where(weight == problem.charge, vector, 0.0)
        rest = [q for q in range(n) if q not in self._local]
        # axis a of the tensor is qubit n - 1 - a
        order = [n - 1 - q for q in reversed(self.cone.qubits)] + [n - 1 - q for q in reversed(rest)]
        tensor = vector.reshape((2,) * n).transpose(order)
        return np.ascontiguousarray(tensor.reshape(2**self.width, -1))

    def initial_entries(self, charge: int | None, theta: Real | None = None) -> Entries:
        """The input's density matrix in one of the input's charge blocks: rows, columns and values of its entries.

        Args:
            charge: The block's.
            theta: Parameter values, shape (K,), on which an input that varies from row to row depends.
        """
        return self._of_row("entries", charge, theta, self._initial_block)

    def _of_row(self, what: str, charge: int | None, theta: Real | None, make: Callable[..., T]) -> T:
        """What is made of the input, worked out once for each input that the circuit has been given of late."""
        problem = self.problem
        if not problem.input_varies or problem.preparation is None:
            theta, row = None, b""
        elif theta is None:
            raise StateError("the input depends on a row of data: give the parameter values that it has there.")
        else:
            row = np.asarray(theta)[list(problem.preparation.parameters)].tobytes()
        kept = self._matrices_kept if what == "entries" else self._vectors_kept
        found: T = kept.made((what, charge, row), lambda: make(charge, theta))
        return found

    @cached_property
    def _matrices_kept(self) -> Kept:
        # all blocks of as many inputs as half a GB holds
        return Kept(len(self.charges) * max(1, min(4096, 2**24 // max(1, self.numbers))))

    @cached_property
    def _vectors_kept(self) -> Kept:
        return Kept((len(self.charges) + 1) * max(1, min(4096, 2**24 // 2 ** min(24, self.problem.num_qubits))))

    def _initial_block(self, charge: int | None, theta: Real | None) -> Entries:
        table = self.sectors[charge]
        state: InitialState = self.problem.initial
        if state.product is None:
            vectors = self._block_vectors(charge, theta)
            return entries_of(vectors @ vectors.conj().T)
        weight = 1.0 if charge is None else self._weights[charge]
        if state.bits is not None:
            bits = np.array([state.bits[q] for q in self.cone.qubits], dtype=np.uint8)
            row = table.rank(bits[None, :])
            return row, row, np.array([weight], dtype=np.complex128)
        amplitudes = self._product_amplitudes(charge)
        return entries_of(weight * np.outer(amplitudes, amplitudes.conj()))

    def _product_amplitudes(self, charge: int | None) -> Complex:
        """A product input's amplitudes in a block, shape (D,)."""
        occupations = self.sectors[charge].occupations
        product = np.asarray(self.problem.initial.product)[list(self.cone.qubits)]
        amplitudes = np.ones(occupations.shape[0], dtype=np.complex128)
        for i in range(self.width):
            amplitudes *= product[i][occupations[:, i]]
        return amplitudes

    def _block_vectors(self, charge: int | None, theta: Real | None) -> Complex:
        """Shape (D, 2^(n-w)): an entangled input's amplitudes in a block, for each state of the qubits outside."""
        occupations = self.sectors[charge].occupations
        rows = occupations.astype(np.int64) @ (1 << np.arange(self.width, dtype=np.int64))
        return np.asarray(self._of_row("reduced", None, theta, self._reduced)[rows])

    @cached_property
    def input_charges(self) -> frozenset[int | None]:
        """The blocks in which the input, and so the noiseless state, lives."""
        return frozenset((None,)) if self.full else frozenset(self._weights)

    def initial_vectors(self, charge: int | None, theta: Real | None = None) -> Complex:
        """The input in one of its charge blocks as sum_j |v_j><v_j|: shape (D, m), the v_j as columns.

        Args:
            charge: The block's.
            theta: As :meth:`initial_entries` takes it.
        """
        return self._of_row("vectors", charge, theta, self._initial_vectors)

    def inputs(self, theta: Real | None = None) -> list[tuple[int | None, Complex]]:
        """The input's charge blocks, ascending, with its vectors in each, as :meth:`initial_vectors` has them."""
        return [(q, self.initial_vectors(q, theta)) for q in sorted(self.input_charges, key=lambda c: c or 0)]

    def _initial_vectors(self, charge: int | None, theta: Real | None) -> Complex:
        state: InitialState = self.problem.initial
        if state.product is not None:
            amplitudes = self._product_amplitudes(charge)
            return (math.sqrt(1.0 if charge is None else self._weights[charge]) * amplitudes)[:, None]
        vectors = self._block_vectors(charge, theta)
        if vectors.shape[1] == 1:
            return vectors
        # The reduced state is V V^dag = sum_j s_j^2 |u_j><u_j|: at most rank V vectors, however many qubits lie
        # outside.
        left, values, _ = np.linalg.svd(vectors, full_matrices=False)
        kept = values > 1e-12 * values[0]
        return np.asarray(left[:, kept] * values[kept])

    @cached_property
    def readout(self) -> Mapping[int | None, csr_matrix]:
        """The readout in each charge block, sparse Hermitian (D, D), built on first use; projected where asked."""
        return self.observable(self.problem.readout)

    def observable(self, operator: SparsePauliOp) -> Mapping[int | None, csr_matrix]:
        """An operator on all n circuit qubits, which acts on cone qubits only, as :attr:`readout` is."""
        return _PerCharge(
            lambda charge: operator_block(operator, self._local, self.sectors[charge], self.projecting_charge)
        )

    @property
    def projecting_charge(self) -> int | None:
        """The charge that readouts are projected on; None without projection, and where the state has one charge."""
        projects = self.problem.projected and (self.full or self.noise_class not in ("none", "strong"))
        return self.problem.charge if projects else None

    def operator_entries(self, operator: SparsePauliOp, sector_charge: int | None = None) -> OperatorEntries:
        """An operator's elements in every charge block held, for engines that read several operators at once.

        Args:
            operator: On all n circuit qubits, acting on cone qubits only; elements between charges are left out.
            sector_charge: With it P_q A P_q, P_q the projector on this charge of the cone's qubits.

        Raises:
            ReadoutError: The operator acts on a qubit outside the cone.
        """
        outside = sorted(set(support(operator)) - set(self._local))
        if outside:
            raise ReadoutError(
                f"the operator acts on qubit {outside[0]}, outside the light cone {self.cone.qubits}. "
                "Compile the problem with a readout that covers all qubits to be read."
            )
        return {
            q: entries_of(operator_block(operator, self._local, self.sectors[q], sector_charge)) for q in self.charges
        }

    @cached_property
    def readout_entries(self) -> dict[int | None, Entries]:
        """The readout in each block as rows, columns and values."""
        return {q: entries_of(self.readout[q]) for q in self.charges}

    @cached_property
    def square_entries(self) -> dict[int | None, Entries]:
        """O^2 likewise (for the single-shot variance)."""
        return {q: entries_of(self.readout[q] @ self.readout[q]) for q in self.charges}

    # -- blocks --------------------------------------------------------------------------------------------------

    def _compile_blocks(self) -> None:
        tables: dict[TableKey, int] = {}
        layers: list[LayerProgram] = []
        compiled: list[KernelBlock] = []
        forms = KernelForms(self.full)
        for layer, kept in zip(self.problem.layers, self.cone.blocks, strict=True):
            start = len(compiled)
            for i in kept:
                compiled += forms.of(layer.blocks[i], self._local)
            kinds = np.array([block.kind for block in compiled[start:]], dtype=np.int64)
            ids = np.array([tables.setdefault(b.key, len(tables)) for b in compiled[start:]], dtype=np.int64)
            layers.append(LayerProgram(start, len(compiled), kinds, ids))
        self.layers: tuple[LayerProgram, ...] = tuple(layers)
        self.kind: Index = np.concatenate([layer.kind for layer in layers])
        self.table: Index = np.concatenate([layer.table for layer in layers])
        self.tables: Mapping[int | None, PairTables] = _PerCharge(lambda q: pair_tables(self.sectors[q], list(tables)))
        self.num_blocks = len(compiled)
        self.block_size, self.rotations, parameters = kernel_rotations(compiled)
        self.slot_parameter = np.array(parameters, dtype=np.int64)
        self.slot_block = np.repeat(np.arange(len(compiled)), np.diff(self.rotations[-1]))

    @property
    def has_wide_blocks(self) -> bool:
        """Whether a block of the cone acts on more than two qubits."""
        layers = zip(self.problem.layers, self.cone.blocks, strict=True)
        return any(len(layer.blocks[i].qubits) > 2 for layer, kept in layers for i in kept)

    def moments_shape(self, orders: int) -> tuple[int, int, int, int]:
        """Of what a gradient is contracted from: a matrix per order and kernel block."""
        return orders, self.num_blocks, self.block_size, self.block_size

    # -- row tables of the noise -----------------------------------------------------------------------------------

    def site_rows(self, qubit: int, charge: int | None) -> tuple[RowIndex, RowIndex]:
        """Rows of block charge - 1 with a qubit empty, and the same states of block ``charge`` with it filled."""
        key = (qubit, charge)
        if key not in self._site_cache:
            filled = self.sectors[charge].occupations
            high = np.flatnonzero(filled[:, qubit] == 1)
            lowered = filled[high].copy()
            lowered[:, qubit] = 0
            below = None if charge is None else charge - 1
            self._site_cache[key] = (self.sectors[below].rank(lowered).astype(np.int32), high.astype(np.int32))
        return self._site_cache[key]

    def local_rows(self, qubits: tuple[int, ...], charge: int | None) -> RowIndex:
        """Rows of the local states of a few qubits, for each rest of charge ``charge`` (None: any).

        Returns:
            Shape (2^k, m), the first qubit the least significant bit of a local state a: 00, 10, 01, 11 of a pair.
            Rows are those of the block of charge ``charge`` + |a|.
        """
        key = (qubits, charge)
        if key not in self._local_cache:
            filled = self.sectors[charge].occupations
            empty = filled[(filled[:, list(qubits)] == 0).all(axis=1)]
            columns = []
            for a in range(2 ** len(qubits)):
                raised = empty.copy()
                for i, q in enumerate(qubits):
                    raised[:, q] = a >> i & 1
                target = None if charge is None else charge + a.bit_count()
                columns.append(self.sectors[target].rank(raised))
            self._local_cache[key] = np.stack(columns).astype(np.int32)
        return self._local_cache[key]

    @cached_property
    def _site_cache(self) -> dict[tuple[int, int | None], tuple[RowIndex, RowIndex]]:
        return {}

    @cached_property
    def _local_cache(self) -> dict[tuple[tuple[int, ...], int | None], RowIndex]:
        return {}


def compile_problem(problem: Problem, *, reduce: bool = True) -> Program:
    """The problem's program in charge sectors or in the full space, built on first use and kept for the next.

    Args:
        problem: The problem.
        reduce: Whether to use light cone and sectors; without, the full space of all qubits (for checks).

    """
    known, key = prepared(problem), ("program", reduce)
    with known.kept as values:
        if key not in values:
            values[key] = Program(known.problem, reduce=reduce)
        program: Program = values[key]
    return program
