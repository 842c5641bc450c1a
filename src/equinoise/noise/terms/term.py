"""What a noise term says about itself; every kind of noise answers these questions, and nobody asks for its class.

A term is a Lindblad generator E = sum_a rate_a D[K_a] - i [H, .] on named qubits, with D[K](r) = K r K^dag - {K^dag K,
r}/2. A kind states its jumps and its Hamiltonian; what follows from them (symmetry, superoperator) is computed here.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from reprlib import repr as shown
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt

from equinoise.circuit.pauli_sums import String, Sum, commutator, largest, sparse_matrix
from equinoise.errors import NoiseError
from equinoise.noise.terms.actions import Action
from equinoise.noise.terms.checks import checked_layers, checked_qubit
from equinoise.noise.terms.phase_process import PhaseProcess

if TYPE_CHECKING:
    from equinoise.circuit.layers import Layer

__all__ = ["ALL", "DIAGONAL", "EACH", "FIRST", "LAST", "SECOND", "JumpOperator", "NoiseTerm", "spelled_rate"]

Matrix = npt.NDArray[np.complex128]
JumpOperator = tuple[float, Mapping[String, complex]]

EACH: Final = "each"
ALL: Final = "all"
DIAGONAL, FIRST, SECOND, LAST = "diagonal", "first", "second", "last"


@dataclass(frozen=True)
class NoiseTerm(ABC):
    """Where a term acts: every slot, the slots of ``layers``, or the slot of each gate named ``gate``.

    Attributes:
        layers: Layer indices counted from 0; None means every layer.
        gate: Name of a circuit instruction; the term then acts once per such gate that touches all its qubits,
            in the slot of that gate's layer.
        on: With ``gate``: only gates on exactly these qubits (any order).
    """

    layers: tuple[int, ...] | None = field(default=None, kw_only=True)
    gate: str | None = field(default=None, kw_only=True)
    on: tuple[int, ...] | None = field(default=None, kw_only=True)

    kind: ClassVar[str]
    """Its name in a noise file and in NoiseModel's arguments."""
    example: ClassVar[str]
    """A table that states one."""
    rates: ClassVar[tuple[str, ...]] = ("rate",)
    """Its fields that are rates."""
    spellings: ClassVar[tuple[str, ...]] = ()
    """How a short text may state it; :meth:`spelled` reads these."""
    is_phase: ClassVar[bool] = False
    """Whether it is a Gaussian phase by a sum of Z, which may be correlated in time."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", checked_layers(self.layers))
        if self.gate is not None and (not isinstance(self.gate, str) or not self.gate):
            raise NoiseError(f"'gate' must be the name of a gate such as 'rzz', got {shown(self.gate)}.")
        if self.on is not None:
            if self.gate is None:
                raise NoiseError("'on' says which gate's qubits are meant; give 'gate' with it.")
            object.__setattr__(self, "on", tuple(checked_qubit(q, "'on'") for q in self.on))

    # -- what each kind states -------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def sites(self) -> tuple[int, ...]:
        """Qubits it acts on; empty while "each" or "all" is not yet expanded."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What it does, on one line, without where."""

    @property
    @abstractmethod
    def action(self) -> Action:
        """What it does to a density matrix, in the few forms for which engines have kernels."""

    @abstractmethod
    def jumps(self) -> tuple[JumpOperator, ...]:
        """Rates and operators K, as Pauli sums with complex coefficients on its qubits."""

    @abstractmethod
    def restricted(self, qubits: Collection[int]) -> Self | None:
        """What an operator on ``qubits`` feels of it; None if nothing."""

    @abstractmethod
    def placed(self, place: Mapping[int, int]) -> Self:
        """The bare term (in every slot, tied to no gate) on other qubit numbers, for a compiled slot."""

    # -- what a kind may know better -------------------------------------------------------------------------------

    @classmethod
    def on_each(cls, rate: float) -> NoiseTerm | None:
        """What a bare rate means: the term on each qubit; None where a rate alone says too little."""
        return None

    @classmethod
    def spelled(cls, word: str, rest: str) -> NoiseTerm | None:
        """The term that the short text "word:rest" states; None if it states none of this kind."""
        return None

    @classmethod
    def merged(cls, terms: Sequence[Self]) -> list[NoiseTerm]:
        """Terms of this kind in one slot with those that act alike joined, in the order in which they act."""
        return list(terms)

    def everywhere(self) -> Self | None:
        """The term on "each" qubit in place of its own; None where the kind knows no such thing."""
        return None

    def expanded(self, num_qubits: int) -> list[Self]:
        """The term with "each" and "all" spelled out on n qubits."""
        return [self]

    @property
    def is_correlated(self) -> bool:
        """Whether it is correlated in time, so that it belongs to no single slot."""
        return False

    def process(self, times: Sequence[int]) -> PhaseProcess | None:
        """What a term that is correlated in time, and acts so often in each slot, is over all slots."""
        return None

    def flipped(self, qubits: Collection[int]) -> Self:
        """The term between two flips of these qubits, X E(X r X) X; a Pauli jump and its like do not see them."""
        return self

    @property
    def sees_flips_alone(self) -> bool:
        """Whether Z on any of its qubits leaves it as it is, so that X and Y turn it into the same (see flipped)."""
        return True

    @property
    def mechanism(self) -> str:
        """What the budget of kappa calls it."""
        return self.kind

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.kind

    @property
    def noun(self) -> str:
        """What it is called before the word noise."""
        return self.kind

    @property
    def stage(self) -> str:
        """FIRST (relaxation, sums of Z) acts before SECOND, that before LAST; DIAGONAL commutes with the first two."""
        return SECOND

    def hamiltonian(self) -> Mapping[String, complex]:
        """H as a Pauli sum; empty for most noise."""
        return {}

    @property
    def decays(self) -> tuple[float, ...] | None:
        """The generator's distinct eigenvalues, all <= 0, with 0 first; None where they are not known or too many."""
        return None

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...], float], ...]:
        """What a calibration would call its parts: a name, the qubits and a rate each."""
        return ((self.kind, self.sites, self.strength),)

    @property
    def bound(self) -> float:
        """At least the generator's norm."""
        return 2 * self.strength

    def reach(self, qubits: Collection[int]) -> frozenset[int]:
        """Further qubits that an operator on ``qubits`` acts on after the noise; none for most noise."""
        return frozenset()

    def along(self, signs: Mapping[int, int]) -> NoiseTerm | None:
        """The same noise in frames that are turned against the laboratory; None where its kind has no form for it.

        Args:
            signs: Per qubit of the term 1 where the frame's Z is the laboratory's, -1 where it is -Z (|0> and |1>
                exchanged), 0 where it is another axis.
        """
        return None

    # -- what follows ----------------------------------------------------------------------------------------------

    @property
    def strength(self) -> float:
        """Its total rate, dimensionless per slot; 0 if it does nothing."""
        return float(sum(getattr(self, name) for name in self.rates))

    def scaled(self, factor: float) -> Self:
        """The term with its rates times a factor."""
        return replace(self, **{name: factor * getattr(self, name) for name in self.rates})

    @property
    def keeps_charge(self) -> bool:
        """Whether every jump, and the Hamiltonian, commutes with the charge Q = sum_i (1 - Z_i)/2."""
        charge: Sum = {((q, "Z"),): -0.5 for q in self.sites}
        return all(_commutes(operator, charge) for operator in (*(k for _, k in self.jumps()), self.hamiltonian()))

    def dense(self, operator: Mapping[String, complex]) -> Matrix:
        """A Pauli sum on the term's qubits as a matrix, its lowest qubit the least significant bit."""
        place = {q: i for i, q in enumerate(sorted(self.sites))}
        local = {tuple((place[q], p) for q, p in string): value for string, value in operator.items()}
        return np.asarray(sparse_matrix(local, len(place)).toarray(), dtype=np.complex128)

    def superoperator(self) -> Matrix:
        """E on matrices vectorised row by row, shape (4^k, 4^k), the lowest qubit the least significant bit."""
        eye = np.eye(2 ** len(self.sites))
        h = self.dense(self.hamiltonian())
        total = -1j * (np.kron(h, eye) - np.kron(eye, h.T))
        for rate, jump in self.jumps():
            k = self.dense(jump)
            square = k.conj().T @ k
            total += rate * (np.kron(k, k.conj()) - (np.kron(square, eye) + np.kron(eye, square.T)) / 2)
        return np.asarray(total, dtype=np.complex128)

    # -- place and text --------------------------------------------------------------------------------------------

    def times(self, index: int, layer: Layer) -> int:
        """How often it acts in the slot of layer ``index``."""
        return 0 if self.layers is not None and index not in self.layers else self.occurrences(layer)

    def occurrences(self, layer: Layer) -> int:
        """How often it acts in the slot of a layer, ``layers`` aside: once, or once per gate that it is tied to."""
        if self.gate is None:
            return 1
        wanted = set(self.on) if self.on is not None else None
        mine = set(self.sites)
        return sum(
            gate.name == self.gate and mine <= set(gate.qubits) and wanted in (None, set(gate.qubits))
            for gate in layer.gates
        )

    def describe(self) -> str:
        """One line, e.g. ``dephasing 0.01 D[Z0]`` or ``depolarizing 0.002 on qubits 0, 1, per gate rzz``."""
        text = self.text
        if self.layers is not None:
            text += f", layers {', '.join(map(str, self.layers))}"
        if self.gate is not None:
            text += f", per gate {self.gate}" + (f" on {', '.join(map(str, self.on))}" if self.on else "")
        return text

    def plain(self) -> dict[str, Any]:
        """The term as plain data that its class reads back."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
            if value is not None
        }

    def at_rates(self, **rates: float) -> Self:
        """The term at other rates, unchecked: a sum of rates may exceed what a single one may be."""
        out = copy.copy(self)
        for name, rate in rates.items():
            object.__setattr__(out, name, rate)
        return out

    def _bare(self, **changes: Any) -> Self:
        return replace(self, layers=None, gate=None, on=None, **changes)


def _commutes(operator: Mapping[String, complex], charge: Sum) -> bool:
    """Whether the Hermitian and the anti-Hermitian part of an operator commute with a Hermitian one."""
    if all(letter == "Z" for string in operator for _, letter in string):
        return True
    size = max(map(abs, operator.values()), default=0.0)
    parts = ({s: v.real for s, v in operator.items()}, {s: v.imag for s, v in operator.items()})
    return all(largest(commutator(part, charge)) <= 1e-12 * size for part in parts)


def spelled_rate(text: str) -> float | None:
    """A rate in a short text; None if it is no number."""
    try:
        return float(text)
    except ValueError:
        return None
