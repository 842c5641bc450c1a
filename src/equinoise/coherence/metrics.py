"""The standard diagnostics of a noise slot's channel, to set beside the coherence law.

All noise here is covariant under each qubit's Z rotation: an element |x><y| keeps its differences dz = z_x - z_y.
The superoperator of a slot is then block-diagonal in dz: with the set A of qubits on which x and y agree, it is
exp(-s Gamma_xy) times a stochastic matrix P_A on the populations of A, which depends on A alone. Everything below is
exact and needs 4^w numbers, never the 16^w of a superoperator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.errors import ParameterError, UnsupportedError
from equinoise.reduction.program import Program
from equinoise.reduction.slots.slot_program import SlotProgram

__all__ = [
    "DiamondDistance",
    "SlotChannel",
    "diamond_distance",
    "entanglement_infidelity",
    "jump_strength",
    "mean_coherence_rate",
    "purity_loss",
    "rayleigh_quotient",
    "slot_channel",
    "spectral_gap",
    "unitarity",
    "worst_coherence_rate",
]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]

_LARGEST_WIDTH = 10


class SlotChannel:
    """One slot's noise on all qubits it is asked for, whatever the readout sees.

    Args:
        slot: Rates, dimensionless per slot; qubit i is bit i of a row number x.
        width: Number of qubits w; at most 10.

    Raises:
        UnsupportedError: Pauli jumps with X or Y in unequal pairs mix charge differences; or w is larger.
    """

    def __init__(self, slot: SlotProgram, width: int) -> None:
        if slot.strings or slot.general:
            raise UnsupportedError(
                "the standard diagnostics are computed for noise that commutes with Z rotations; this slot has Pauli "
                "jumps with X or Y, or general ones. Give X and Y the same rate, or use qiskit.quantum_info on up to "
                "3 qubits."
            )
        if width > _LARGEST_WIDTH:
            raise UnsupportedError(
                f"the standard diagnostics need 4^w numbers and eigenvalues of 2^w; {width} qubits are more than "
                f"{_LARGEST_WIDTH}. Use a readout with a smaller light cone."
            )
        self.slot = slot
        self.width = width
        self.dimension = 2**width
        sites: dict[int, list[Real]] = {}
        for _, (i, down, up, _) in slot.sites:
            sites.setdefault(i, []).append(np.array([[-up, down], [up, -down]]))
        self._sites = sorted(sites.items())
        self._pairs = [reset for _, reset in slot.resets]

    @cached_property
    def _agreed(self) -> Index:
        """Bit mask of the qubits on which x and y agree, shape (D, D)."""
        rows = np.arange(self.dimension)
        return np.asarray((self.dimension - 1) ^ rows[:, None] ^ rows[None, :])

    @cached_property
    def coherence_rates(self) -> Real:
        """Gamma_xy, the decay rate of |x><y| exclusive of population mixing: shape (D, D), per slot.

        Gamma_xy = sum_jumps rate (phi_x - phi_y)^2 / 2 + sum over qubits that differ of their
        coherence's decay + sum over depolarized pairs that differ of their rate.
        """
        rows = np.arange(self.dimension)
        signs = 1.0 - 2.0 * ((rows[:, None] >> np.arange(self.width)) & 1)
        gamma = np.zeros((self.dimension, self.dimension))
        for rate, weights, parity in self.slot.jumps:
            places, v = (list(values) for values in zip(*weights, strict=True))
            phi = np.prod(signs[:, places], axis=1) if parity else signs[:, places] @ np.array(v)
            gamma += rate / 2 * (phi[:, None] - phi[None, :]) ** 2
        differ = rows[:, None] ^ rows[None, :]
        site = np.zeros(self.width)
        for _, moves in self.slot.sites:
            site[moves.qubit] += moves.decay
        for i, rate in enumerate(site):
            gamma += rate * ((differ >> i) & 1)
        for (a, b), rate in self._pairs:
            gamma += rate * ((differ & (1 << a | 1 << b)) != 0)
        return gamma

    def _populations(self, mask: int, scale: float | None) -> Real:
        """P_A (or, without a scale, its generator) for the qubits in a bit mask, lowest qubit fastest."""
        inside = [i for i in range(self.width) if mask >> i & 1]
        axis = {q: len(inside) - 1 - k for k, q in enumerate(inside)}
        one = np.eye(2 ** len(inside)).reshape((2,) * len(inside) + (-1,))
        out, total = one, np.zeros_like(one)
        for i, generators in self._sites:
            if i in axis:
                for g in generators:
                    matrix = g if scale is None else _exponential(g, scale)
                    moved = np.moveaxis(np.tensordot(matrix, one if scale is None else out, (1, axis[i])), 0, axis[i])
                    out, total = moved, total + moved
        for (a, b), rate in self._pairs:
            if a in axis and b in axis:
                source = one if scale is None else out
                spread = np.broadcast_to(source.mean(axis=(axis[a], axis[b]), keepdims=True), source.shape)
                moved = rate * (spread - source) if scale is None else source + _lost(rate, scale) * (spread - source)
                out, total = moved, total + moved
        return np.asarray((total if scale is None else out).reshape(2 ** len(inside), -1))

    def diagonal(self, scale: float = 1.0) -> Real:
        """S_xy = <<xy| exp(s E) |xy>>, the superoperator's diagonal elements: shape (D, D).

        Args:
            scale: Noise scale s >= 0.
        """
        # |x><y| keeps the bits on which x and y differ; on those where they agree it moves as a population by P_A, so
        # that its diagonal element is exp(-s Gamma_xy) times P_A at the bits of x inside A.
        out = np.exp(-_finite(scale) * self.coherence_rates)
        for mask in range(self.dimension):
            rows, columns = np.nonzero(self._agreed == mask)
            kept = np.diag(self._populations(mask, scale))
            out[rows, columns] *= kept[_compressed(rows, mask, self.width)]
        return np.asarray(out)

    def apply(self, operators: Complex, scale: float = 1.0) -> Complex:
        """exp(s E) on operators of shape (..., D, D)."""
        out = operators * np.exp(-_finite(scale) * self.coherence_rates)
        for i, generators in self._sites:
            matrix = np.eye(2)
            for g in generators:
                matrix = _exponential(g, scale) @ matrix
            out = self._mix(out, (i,), matrix)
        for qubits, rate in self._pairs:
            lost = _lost(rate, scale)
            out = self._mix(out, qubits, (1 - lost) * np.eye(4) + lost / 4)
        return np.asarray(out)

    def generate(self, operators: Complex) -> Complex:
        """E on operators of shape (..., D, D): the sum of the slot's generators."""
        out = -self.coherence_rates * operators
        for i, generators in self._sites:
            out = out + self._mix(operators, (i,), np.sum(generators, axis=0), onto_zero=True)
        for qubits, rate in self._pairs:
            out = out + self._mix(operators, qubits, rate * (np.full((4, 4), 0.25) - np.eye(4)), onto_zero=True)
        return np.asarray(out)

    def _mix(self, operators: Complex, qubits: tuple[int, ...], matrix: Real, onto_zero: bool = False) -> Complex:
        """A matrix on the populations of one or two qubits, where x and y agree on them."""
        w, lead = self.width, operators.shape[:-2]
        tensor = operators.reshape(*lead, *(2,) * (2 * w))
        out = np.zeros_like(tensor) if onto_zero else tensor.copy()
        count = len(lead)
        states = [tuple(k >> j & 1 for j in range(len(qubits))) for k in range(2 ** len(qubits))]

        def part(state: tuple[int, ...]) -> tuple[slice | int, ...]:
            index: list[slice | int] = [slice(None)] * (count + 2 * w)
            for q, bit in zip(qubits, state, strict=True):
                index[count + w - 1 - q] = index[count + 2 * w - 1 - q] = bit
            return tuple(index)

        for k, target in enumerate(states):
            out[part(target)] = sum(matrix[k, j] * tensor[part(source)] for j, source in enumerate(states))
        return np.asarray(out.reshape(operators.shape))


def slot_channel(program: Program, layer: int) -> SlotChannel:
    """The noise of a problem's slot on all qubits of the readout's light cone.

    Args:
        program: The compiled problem.
        layer: Slot, counted from 0.

    Raises:
        UnsupportedError: As in :class:`SlotChannel`.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.coherence.metrics import entanglement_infidelity, slot_channel
        >>> from equinoise.reduction.program import compile_problem
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> problem = eq.Problem(circuit, readout="Z2", initial="neel", noise="dephasing:0.05")
        >>> round(entanglement_infidelity(slot_channel(compile_problem(problem), 0)), 4)
        0.1772
    """
    return SlotChannel(program.unrestricted_slot(layer), program.width)


def _exponential(generator: Real, scale: float) -> Real:
    rate = -float(np.trace(generator))
    return np.asarray(np.eye(2) + (_lost(rate, scale) / rate if rate else 0.0) * generator)


def _lost(rate: float, scale: float) -> float:
    return -math.expm1(-rate * scale)


def _finite(scale: float) -> float:
    if not math.isfinite(scale) or scale < 0:
        raise ParameterError(f"the standard diagnostics need a finite noise scale >= 0, got {scale}.")
    return float(scale)


def _compressed(rows: Index, mask: int, width: int) -> Index:
    """The bits of row numbers inside a mask, packed."""
    out = np.zeros_like(rows)
    place = 0
    for i in range(width):
        if mask >> i & 1:
            out |= ((rows >> i) & 1) << place
            place += 1
    return out


# -- fidelities --------------------------------------------------------------------------------------------------------


def entanglement_infidelity(channel: SlotChannel, scale: float = 1.0) -> float:
    """1 - F_e with F_e = Tr[S] / 4^w = mean over x, y of <<xy| exp(s E) |xy>>; exact.

    For diagonal dephasing that is the mean of exp(-s Gamma_xy); the infidelity of the process (chi) matrix.

    Args:
        channel: The slot's noise.
        scale: Noise scale s.

    Source:
        Schumacher, Phys. Rev. A 54, 2614 (1996).
    """
    return float(1.0 - channel.diagonal(scale).mean())


def unitarity(channel: SlotChannel, scale: float = 1.0) -> float:
    """The unitarity u = Tr[T^T T] / (d^2 - 1), T the Pauli transfer matrix less the identity's row and column; exact.

    Tr[T^T T] = ||S||^2 - ||exp(s E)(1)||^2 / d, and ||S||^2 is summed over the blocks: exp(-2 s Gamma_xy) ||P_A||^2.
    It is 1 for unitaries and 0 for complete depolarizing.

    Args:
        channel: The slot's noise.
        scale: Noise scale s.

    Source:
        Wallman, Granade, Harper, Flammia, New J. Phys. 17, 113020 (2015).
    """
    d = channel.dimension
    squares = np.exp(-2 * _finite(scale) * channel.coherence_rates)
    # ||S||^2 = sum over blocks (A, values on the rest) of exp(-2 s Gamma) ||P_A||^2. ``weight`` sums over pairs (x,
    # y), in which each block occurs 2^|A| times, once for each value of the bits in A. exp(s E)(1) is diagonal: P of
    # all qubits on ones.
    weight = np.bincount(channel._agreed.ravel(), weights=squares.ravel(), minlength=d)
    norm = 0.0
    for mask in range(d):
        norm += float(weight[mask]) / 2 ** mask.bit_count() * float(np.sum(channel._populations(mask, scale) ** 2))
    image = channel._populations(d - 1, scale).sum(axis=1)
    return float((norm - image @ image / d) / (d**2 - 1))


# -- diamond distance --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DiamondDistance:
    """Half the diamond norm of exp(s E) - id, enclosed by a feasible point of the program and one of its dual.

    Attributes:
        lower: Reached by an input state.
        upper: Proved by a dual certificate.
        iterations: Taken.
    """

    lower: float
    upper: float
    iterations: int

    @property
    def value(self) -> float:
        """The midpoint."""
        return (self.lower + self.upper) / 2


def diamond_distance(
    channel: SlotChannel, scale: float = 1.0, *, tolerance: float = 1e-3, iterations: int = 2000
) -> DiamondDistance:
    """(1/2) ||exp(s E) - id||_diamond, enclosed; exact for all noise here, at any width.

    The semidefinite program is max over input states of the trace distance on system and reference. Covariance under Z
    rotations makes a diagonal input optimal, with probabilities p, and splits the Choi matrix by x' - x; the identity
    lives in the block x' = x alone, whose entries are S_xy. What is left is a program on 2^w x 2^w matrices,

        max_p Tr[sqrt(p) (S - 1) sqrt(p)]_+ + sum_x p_x (1 - S_xx) = min_{Z >= 0, Z >= S - 1} max_x Z_xx + 1 - S_xx,

    with 1 the matrix of ones: for diagonal dephasing half the gamma_2 norm of the Schur multiplier S - 1. It is concave
    in p with gradient G_x = Z_xx + 1 - S_xx at Z = p^(-1/2) [..]_+ p^(-1/2), feasible for every p. So each step
    p_x <- p_x G_x / sum p G encloses the value by sum p G and max G. For Pauli channels uniform p is optimal at once,
    and the distance is the entanglement infidelity.

    Args:
        channel: The slot's noise.
        scale: Noise scale s.
        tolerance: Relative width of the enclosure at which to stop.
        iterations: Steps at most; the enclosure holds whenever it stops.

    Source:
        Watrous, Theory of Computing 5, 217 (2009) (the program); Magesan, Gambetta, Emerson, Phys. Rev. A 85, 042311
        (2012) (Pauli channels); the reduction is ours.

    Example:
        >>> from equinoise.coherence.metrics import SlotChannel, diamond_distance
        >>> from equinoise.noise.terms import Dephasing
        >>> from equinoise.reduction.slots.slot_program import SlotProgram
        >>> dephasing = SlotProgram((Dephasing(0.1, {0: 1.0}),))
        >>> round(diamond_distance(SlotChannel(dephasing, 1)).value, 6)
        0.090635
    """
    s = channel.diagonal(scale)
    change, leaving = s - 1.0, 1.0 - np.diag(s)
    p = np.full(channel.dimension, 1.0 / channel.dimension)
    low, high, step = 0.0, 1.0, 0
    for step in range(1, iterations + 1):  # noqa: B007
        # With M = sqrt(p) (S - 1) sqrt(p) and its positive part M_+, Z = p^(-1/2) M_+ p^(-1/2) is >= 0 and >= S - 1:
        # feasible for the dual. sum_x p_x G_x = Tr M_+ + sum p (1 - S_xx) is the primal value at p, max_x G_x the dual
        # one.
        root = np.sqrt(p)
        values, vectors = np.linalg.eigh(root[:, None] * change * root[None, :])
        positive = values > 0
        gradient = (vectors[:, positive] ** 2) @ values[positive] / p + leaving
        now = float(p @ gradient)
        low, high = max(low, now), min(high, float(gradient.max()))
        if high - low <= max(tolerance * high, 1e-14):
            break
        # a floor keeps the certificate Z finite
        p = np.maximum(p * gradient / now, 1e-12)
        p /= p.sum()
    return DiamondDistance(low, max(low, high), step)


# -- rates -------------------------------------------------------------------------------------------------------------


def spectral_gap(channel: SlotChannel) -> float:
    """The spectral gap min |Re lambda| over the eigenvalues of the slot's generator that do not vanish, per slot.

    Args:
        channel: The slot's noise; the generator is the sum of those of its parts.

    Returns:
        The gap; 0 if there is no noise.

    Source:
        Breuer, Petruccione, The Theory of Open Quantum Systems (2002), section 3.
    """
    decays: list[Real] = []
    for mask in range(channel.dimension):
        # The generator on a block is -Gamma + (generator of P_A): its eigenvalues are -(Gamma - lambda), lambda <= 0
        # those of the population matrix.
        rates = np.unique(channel.coherence_rates[channel._agreed == mask])
        mixing = np.linalg.eigvals(channel._populations(mask, None)).real
        decays.append((rates[:, None] - mixing[None, :]).ravel())
    every = np.concatenate(decays)
    moving = every[every > 1e-9 * max(float(every.max()), 1e-300)]
    return float(moving.min(initial=np.inf)) if moving.size else 0.0


def _rates_between_different(channel: SlotChannel, charge: int | None) -> Real:
    rows = np.arange(channel.dimension)
    if charge is not None:
        if not 0 <= charge <= channel.width:
            raise ParameterError(f"charge must lie in 0..{channel.width}, got {charge}.")
        rows = rows[np.bitwise_count(rows) == charge]
    rates = channel.coherence_rates[np.ix_(rows, rows)]
    return np.asarray(rates[~np.eye(rows.size, dtype=bool)])


def worst_coherence_rate(channel: SlotChannel, charge: int | None = None) -> float:
    """The worst-case rate, max over x != y of Gamma_xy, per slot: the fastest decay of a coherence.

    Args:
        channel: The slot's noise.
        charge: Both x and y in this sector; None for the whole space.

    Source:
        arXiv:2606.30688 (the worst-case rate that the aligned rate is held against).
    """
    return float(_rates_between_different(channel, charge).max(initial=0.0))


def mean_coherence_rate(channel: SlotChannel, charge: int | None = None) -> float:
    """The mean rate over x != y of Gamma_xy, per slot.

    Args:
        channel: The slot's noise.
        charge: Both x and y in this sector; None for the whole space.
    """
    rates = _rates_between_different(channel, charge)
    return float(rates.mean()) if rates.size else 0.0


def jump_strength(channel: SlotChannel) -> float:
    """The total jump rate sum_j rate_j ||K_j||^2 of the slot, ||.|| the operator norm.

    Dephasing counts rate (sum_i |v_i|)^2, relaxation down + up, depolarizing as its Pauli jumps rate (1 - 1/d^2).

    Args:
        channel: The slot's noise.
    """
    # the norm of every jump here, sums of Z, strings and |0><1|, is the sum of its coefficients' sizes
    return float(
        sum(rate * sum(map(abs, jump.values())) ** 2 for term in channel.slot.terms for rate, jump in term.jumps())
    )


# -- with the circuit's states -----------------------------------------------------------------------------------------


def _checked(channel: SlotChannel, operators: npt.ArrayLike) -> Complex:
    array = np.asarray(operators, dtype=np.complex128)
    if array.ndim < 2 or array.shape[-2:] != (channel.dimension,) * 2:
        raise ParameterError(f"operators must have shape (..., {channel.dimension}, {channel.dimension}).")
    return array


def purity_loss(channel: SlotChannel, states: npt.ArrayLike, scale: float = 1.0) -> Real:
    """1 - Tr[exp(s E)(rho)^2] / Tr[rho^2] for each state: shape (...).

    Args:
        channel: The slot's noise.
        states: Density matrices of shape (..., D, D), qubit 0 the least significant bit.
        scale: Noise scale s.

    Raises:
        ParameterError: The shape does not fit.
    """
    rho = _checked(channel, states)
    before = np.sum(np.abs(rho) ** 2, axis=(-2, -1))
    return np.asarray(1.0 - np.sum(np.abs(channel.apply(rho, scale)) ** 2, axis=(-2, -1)) / before)


def rayleigh_quotient(channel: SlotChannel, operators: npt.ArrayLike) -> Real:
    """-Re <<A| E |A>> / <<A|A>> for each operator A, per slot: shape (...).

    For dephasing sum_xy Gamma_xy |A_xy|^2 / sum_xy |A_xy|^2. With A the Heisenberg readout O_l it is the *readout-only*
    rate, with A the state rho_l the *state-only* rate (half the initial rate at which the purity falls); the law's
    aligned rate weights with both.

    Args:
        channel: The slot's noise.
        operators: Shape (..., D, D), qubit 0 the least significant bit.

    Raises:
        ParameterError: The shape does not fit.

    Source:
        arXiv:2606.30688 (readout-only and state-only quotients as comparisons).
    """
    a = _checked(channel, operators)
    overlap = np.sum(a.conj() * channel.generate(a), axis=(-2, -1)).real
    return np.asarray(-overlap / np.sum(np.abs(a) ** 2, axis=(-2, -1)))
