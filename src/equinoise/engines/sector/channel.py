"""One slot's noise on the charge blocks: as a channel at a scale, as a power series at s = 0, as a generator.

Each one-qubit mechanism here is phase covariant, so an element |x><y| keeps its charge differences z_x - z_y: the
coherences of all mechanisms together decay by one factor per element, and populations mix where x and y agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.sector import noise_kernels as kernels
from equinoise.engines.sector.local_channel import LocalChannel
from equinoise.reduction.program import Program
from equinoise.reduction.slots.slot_program import SlotProgram

__all__ = ["KEEP_BYTES", "Channel", "site_populations"]

Real = npt.NDArray[np.float64]
State = dict[int | None, Real]

_LETTER_FLIPS = {"X": 1, "Y": 1, "Z": 0}
# a mask is kept with the engine unless it is larger than this
KEEP_BYTES = 2**31
_BLOCK_ROWS = 512


# Populations only: relaxation moves p1 -> p0 at ``down`` and p0 -> p1 at ``up``; depolarizing at rate r moves r/2 each
# way, r (Tr(rho) 1/2 - rho) on the diagonal. Columns add up to 0: the trace is kept. Coherences are in the decay mask.
def _site_generators(slot: SlotProgram) -> list[tuple[int, list[Real]]]:
    """Per qubit, the 2x2 generators on (p0, p1) in the order in which they act."""
    out: dict[int, list[Real]] = {}
    for _, (i, down, up, _) in slot.sites:
        out.setdefault(i, []).append(np.array([[-up, down], [up, -down]]))
    return sorted(out.items())


def _exponential(generator: Real, scale: float | None, orders: int) -> Real:
    """exp(s E) of a 2x2 population generator (E^2 = -gamma E), or its series I, E, E^2/2: shape (orders, 2, 2)."""
    # A 2x2 generator with columns that add up to 0 has the eigenvalues 0 and -gamma, so E^2 = -gamma E and the series
    # sums up: exp(sE) = 1 + (1 - e^{-gamma s})/gamma E. expm1 keeps digits at small s and gives the limit at s =
    # infinity.
    gamma = -float(np.trace(generator))
    if scale is None:
        return np.stack([np.eye(2), generator, -gamma / 2 * generator][:orders])
    if gamma == 0:
        return np.eye(2)[None]
    return (np.eye(2) - math.expm1(-gamma * scale) / gamma * generator)[None]


def _compose(after: Real, before: Real) -> Real:
    """The series of a product of two series."""
    orders = after.shape[0]
    return np.stack([np.sum([after[i] @ before[k - i] for i in range(k + 1)], axis=0) for k in range(orders)])


def _decay(rate: float, scale: float | None, orders: int) -> Real:
    """exp(-s rate), or its series."""
    if scale is None:
        return np.array([1.0, -rate, rate**2 / 2][:orders])
    return np.array([math.exp(-rate * scale) if rate else 1.0])


def site_populations(slot: SlotProgram, scale: float | None) -> list[tuple[int, Real]]:
    """Per qubit, the channel on its populations (p0, p1): (qubit, shape (orders, 2, 2)), one order or, for None, three.

    Args:
        slot: The noise.
        scale: s in [0, infinity], or None for the power series at s = 0 up to s^2.
    """
    orders = 3 if scale is None else 1
    out = []
    for i, generators in _site_generators(slot):
        total = np.zeros((orders, 2, 2))
        total[0] = np.eye(2)
        for generator in generators:
            total = _compose(_exponential(generator, scale, orders), total)
        out.append((i, total))
    return out


@dataclass(frozen=True)
class _Pauli:
    """P r P on the full space: r_xy -> sign(x) sign(y) r at (x ^ flip, y ^ flip)."""

    flip: int
    sign: Real
    rate: float


class Channel:
    """A slot's noise at one scale.

    Args:
        program: The compiled problem.
        slot: The noise.
        scale: s in [0, infinity], or None for the power series at s = 0 up to s^2.
    """

    def __init__(self, program: Program, slot: SlotProgram, scale: float | None) -> None:
        self.program = program
        self.slot = slot
        self.scale = scale
        self.orders = 3 if scale is None else 1
        self.idle = slot.empty or scale == 0
        self.dephases_only = slot.dephases_only
        self._masks: dict[int | None, Real] = {}
        self._sites = site_populations(slot, scale)
        self._pairs: list[tuple[tuple[int, int], Real, Real]] = []
        for _, (qubits, rate) in slot.resets:
            keep = _decay(rate, scale, self.orders)
            spread = -keep / 4
            spread[0] += 0.25
            self._pairs.append((qubits, keep, spread))
        self._paulis = [self._pauli(*string) for _, string in slot.strings]
        self._general = [LocalChannel(program, action, scale) for action in slot.joint] if not self.idle else []

    def _pauli(self, letters: tuple[tuple[int, str], ...], rate: float) -> _Pauli:
        filled = self.program.sectors[None].occupations
        sign = np.ones(filled.shape[0])
        flip = 0
        for qubit, letter in letters:
            flip |= _LETTER_FLIPS[letter] << qubit
            if letter in "YZ":
                sign *= 1.0 - 2.0 * filled[:, qubit]
        return _Pauli(flip, sign, rate)

    # -- channel -------------------------------------------------------------------------------------------------

    def apply(self, state: State) -> None:
        """exp(s E) on a state, in place: coherences, populations, pairs, Pauli jumps."""
        # Sites and pairs mix populations and keep z_x - z_y of an element, on which alone its decay depends; so decay
        # commutes with them and is applied first, for all mechanisms at once. Pauli jumps may flip z and come last.
        if self.idle:
            return
        self._damp(state)
        for qubit, matrices in self._sites:
            self._mix_site(state, qubit, matrices)
        self._mix_pairs(state)
        self._apply_paulis(state)
        for local in self._general:
            local.apply(state)

    def apply_adjoint(self, state: State) -> None:
        """The adjoint map on a readout, in place."""
        if self.idle:
            return
        for local in reversed(self._general):
            local.apply_adjoint(state)
        # Pauli channels are their own adjoints and commute with one another
        self._apply_paulis(state)
        self._mix_pairs(state)
        for qubit, matrices in self._sites:
            self._mix_site(state, qubit, np.ascontiguousarray(matrices.transpose(0, 2, 1)))
        self._damp(state)

    def _damp(self, state: State) -> None:
        for q, rho in state.items():
            if self.scale is None:
                kernels.damp_orders(rho, self._mask(q))
                continue
            dim = rho.shape[2]
            if 8 * dim * dim <= KEEP_BYTES:
                rho[0] *= self._mask(q)
                continue
            for start in range(0, dim, _BLOCK_ROWS):
                rows = slice(start, min(dim, start + _BLOCK_ROWS))
                rho[0, :, rows] *= self._factor(self.program.coherence_rates(self.slot, q, rows))

    def _mask(self, charge: int | None) -> Real:
        """Decay factors of a block's elements (rates, for the series)."""
        if charge not in self._masks:
            rates = self.program.coherence_rates(self.slot, charge)
            self._masks[charge] = rates if self.scale is None else self._factor(rates)
        return self._masks[charge]

    def _factor(self, rates: Real) -> Real:
        if self.scale is not None and math.isinf(self.scale):
            return np.asarray(rates == 0, dtype=np.float64)
        return np.asarray(np.exp(-float(self.scale or 0.0) * rates))

    def _mix_site(self, state: State, qubit: int, matrices: Real) -> None:
        for q in state:
            below = None if q is None else q - 1
            if below in state and (q is None or q > 0):
                low, high = self.program.site_rows(qubit, q)
                kernels.mix_site(state[below], state[q], low, high, matrices)

    def _mix_pairs(self, state: State) -> None:
        for qubits, keep, spread in self._pairs:
            for q in state:
                blocks = [q, None if q is None else q + 1, None if q is None else q + 2]
                if all(block in state for block in blocks):
                    s0, s1, s2 = (state[block] for block in blocks)
                    kernels.mix_pair(s0, s1, s2, self.program.local_rows(qubits, q), keep, spread)

    def _apply_paulis(self, state: State) -> None:
        for pauli in self._paulis:
            decay = _decay(2 * pauli.rate, self.scale, self.orders)
            move = -decay / 2
            move[0] += 0.5
            stay = decay / 2
            stay[0] += 0.5
            kernels.pauli_channel(state[None], pauli.flip, pauli.sign, stay, move)

    # -- generator -----------------------------------------------------------------------------------------------

    def generator_overlaps(self, readout: State, dreadout: State, rho: State, drho: State) -> Real:
        """D <<O| E_j |rho>> = <<dO| E_j |rho>> + <<O| E_j |drho>> for each term of the slot, in budget order.

        Everything but population moving between charges is a weighted sum of W_xy = Re(dO* rho + O* drho).
        """
        # Derivative along the direction of <<O| E_j |rho>>, by the product rule. A decay at the rate gamma_xy adds -sum
        # gamma_xy W_xy. gamma depends on x and y by few sums: (phi_x - phi_y)^2 = phi_x^2 + phi_y^2 - 2 phi_x phi_y for
        # dephasing, n_x n_y and n_x + n_y for one qubit; so row sums, column sums and n^T W n do, and no D x D table of
        # rates is made for each term.
        slot, program = self.slot, self.program
        width = program.width
        out = np.zeros(len(slot.terms))
        jumps = out[: len(slot.jumps)]
        both = np.zeros((width, width))
        single = np.zeros(width)
        total = 0.0
        for q in rho:
            w = dreadout[q][0] * rho[q][0] + readout[q][0] * drho[q][0]
            weight = w[0] + w[1]
            rows, columns = weight.sum(axis=1), weight.sum(axis=0)
            filled = program.sectors[q].occupations.astype(np.float64)
            total += float(rows.sum())
            single += (rows + columns) @ filled
            both += filled.T @ weight @ filled
            if slot.jumps:
                phi, rates = program.phases(slot, q)
                spread = (rows + columns) @ phi**2 - 2 * np.einsum("xj,xj->j", phi, weight @ phi)
                jumps -= rates * spread / 2
        # W summed where the qubit is filled on both sides, on one side alone, and on neither.
        filled_both = np.diag(both)
        coherent = single - 2 * filled_both
        empty_both = total - single + filled_both
        for place, (i, down, up, decay) in slot.sites:
            moved = down * self._crossed(readout, dreadout, rho, drho, i, falls=True)
            moved += up * self._crossed(readout, dreadout, rho, drho, i, falls=False)
            out[place] = moved - (down * filled_both[i] + up * empty_both[i] + decay * coherent[i])
        # depolarizing of two qubits is T - 1, with T as in overlap_traced_pair
        for place, (qubits, rate) in slot.resets:
            out[place] = rate * (self._traced(readout, dreadout, rho, drho, qubits) / 4 - total)
        # D[P] r = P r P - r for a Pauli string P
        for (place, _), pauli in zip(slot.strings, self._paulis, strict=True):
            out[place] = pauli.rate * (self._conjugated(readout, dreadout, rho, drho, pauli) - total)
        for place, action in slot.general:
            local = LocalChannel(program, action, None)
            out[place] = local.overlap(dreadout, rho) + local.overlap(readout, drho)
        return out

    def _crossed(self, readout: State, dreadout: State, rho: State, drho: State, qubit: int, falls: bool) -> float:
        """The overlap of the state's (filled, filled) part with the readout's (empty, empty) part, or the reverse."""
        total = 0.0
        for q in rho:
            upper = q if falls or q is None else q + 1
            below = None if upper is None else upper - 1
            if upper not in readout or below not in readout:
                continue
            low, high = self.program.site_rows(qubit, upper)
            target, rows, source = (below, low, high) if falls else (upper, high, low)
            total += kernels.crossed_population(dreadout[target], rho[q], rows, source)
            total += kernels.crossed_population(readout[target], drho[q], rows, source)
        return total

    def _traced(self, readout: State, dreadout: State, rho: State, drho: State, qubits: tuple[int, int]) -> float:
        total = 0.0
        for q in readout:
            blocks = [q, None if q is None else q + 1, None if q is None else q + 2]
            if not all(block in readout for block in blocks) or not any(block in rho for block in blocks):
                continue
            rows = self.program.local_rows(qubits, q)
            present = np.array([block in rho for block in blocks])
            for o, r in ((dreadout, rho), (readout, drho)):
                targets = [o[b] for b in blocks]
                states = [r.get(b, o[b]) for b in blocks]
                arguments = (*targets, *states, present, rows)
                total += kernels.overlap_traced_pair(*arguments)
        return total

    def _conjugated(self, readout: State, dreadout: State, rho: State, drho: State, pauli: _Pauli) -> float:
        order = np.arange(pauli.sign.size) ^ pauli.flip
        phase = pauli.sign[order]
        sign = phase[:, None] * phase[None, :]
        total = 0.0
        for o, r in ((dreadout[None], rho[None]), (readout[None], drho[None])):
            moved = sign * r[0][:, order][:, :, order]
            total += float(np.sum(o[0] * moved))
        return total
