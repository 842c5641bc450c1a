"""The noise's fixed point: what it leaves of the state, read off before any gradient is computed.

*untouched*: it leaves the sector alone; *classical*: it leaves the diagonal, a classical stochastic process;
*too mixed*: a maximally mixed state, and *too symmetric*: a pure one, both commuting with every generator;
*partly protected*: some coherences stay.

In the commutant of any symmetry, operators (+)_lambda X_lambda (x) 1_d with an m x m matrix X_lambda in each sector,
the same words mean: *untouched*: the circuit's state is left as it is; *too mixed* and *too symmetric*: what is left,
mixed or pure, commutes with the generator of every step or is the same for all parameters, and no gradient passes;
*classical*: all that the noise can leave commutes with itself, so that it is diagonal in one basis that no parameter
changes, whose populations are a classical stochastic process (the computational basis under local dephasing; under
permutations the Hamming weight); *partly protected*: anything else.

Between the sectors noise does one of two things. It *respects* them where no state's weights Tr X_lambda change
(collective noise: every jump commutes with the group), else it *mixes* them (local noise): the irreducible blocks are
then no longer a conserved quantity, and only the symmetry of the whole is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from equinoise.engines.block_space import BlockEngine, Blocks, BlockSpace
from equinoise.engines.contract import Engine, Real
from equinoise.engines.sector.exact import ExactEngine
from equinoise.reduction.program import Program
from equinoise.reduction.slots.slot_program import SlotProgram, jump_weights
from equinoise.reduction.symmetric_program import SymmetricProgram

__all__ = ["FixedPoint", "fixed_point", "fixed_point_of_generators"]

_SMALL = 1e-7
# of the random operators that a slot is tried on
_SEED = 20260630


@dataclass(frozen=True)
class FixedPoint:
    """The state that the noise of a slot leaves at s = infinity, worst slot first.

    Attributes:
        kind: "untouched", "classical", "too mixed", "too symmetric", "partly protected", "no noise", or "no limit"
            where a Hamiltonian turns states forever.
        purity: Tr sigma^2 of the fixed point sigma that a state of the circuit is sent to; NaN where only the
            generators were looked at.
        commutator: max over generators of ||[G_k, sigma]|| / ||[G_k, rho]||, rho the noiseless state; NaN likewise.
        coherence: Share of ||rho||^2's off-diagonal part that sigma keeps; NaN likewise, and in the commutant.
        sectors: Whether the noise of all slots leaves every sector of the symmetry the weight it has: "respected" or
            "mixed"; empty in the full space, and without noise.
    """

    kind: str
    purity: float
    commutator: float
    coherence: float
    sectors: str = ""


_ORDER = ("too symmetric", "too mixed", "classical", "partly protected", "untouched")


def fixed_point(engine: Engine, theta: Real) -> FixedPoint:
    """The fixed-point class from the state of the circuit at theta, shape (K,), radians.

    Where no density matrix is at hand, from the generators alone: :func:`fixed_point_of_generators`. Else each noisy
    slot's limit channel acts on the noiseless state after its layer, with the noise of all cone qubits. A slot whose
    fixed point commutes with every generator decides alone: nothing passes it.
    """
    if isinstance(engine, BlockEngine):
        return _in_blocks(engine, engine.program, theta)
    program = cast(Program, engine.program)
    if not isinstance(engine, ExactEngine) or not program.has_limit:
        return fixed_point_of_generators(program)
    found: list[FixedPoint] = []
    seen: set[object] = set()
    for number, rho in enumerate(engine.layer_states(theta)):
        slot = program.unrestricted_slot(number)
        if slot.empty or slot in seen:
            continue
        found.append(_classify(engine, theta, rho, engine.space.limit(number, rho)))
        if found[-1].kind != "untouched":  # a later state may be touched by the same noise
            seen.add(slot)
    if not found:
        return FixedPoint("no noise", math.nan, 1.0, 1.0)
    return replace(min(found, key=lambda f: _ORDER.index(f.kind)), sectors=_sectors(program))


def _sectors(program: Program) -> str:
    """Of the charge: respected by noise whose jumps commute with it."""
    if program.full:
        return ""
    return {"strong": "respected", "weak": "mixed"}.get(str(program.noise_class), "")


def fixed_point_of_generators(program: Program) -> FixedPoint:
    """The fixed-point class from the noise's generators, without any state; its numbers are NaN.

    Relaxation or depolarizing of every cone qubit in one slot leaves a product of one-qubit states with the excited
    populations up/(down + up). Diagonal noise leaves what no jump tells apart: with the jumps' weights as rows of W,
    and a row of ones for the charge, an element |x><y| lasts where W (z_x - z_y) = 0; so the diagonal alone lasts if W
    has rank w, and everything if all columns are equal. Jumps of two Pauli letters on a qubit leave 1/2 of it; of other
    noise that breaks the charge, or is stated by matrices, something may be protected. Phases correlated in time may
    cancel in later slots (echoes), so what they dephase counts as partly protected.
    """
    if not program.has_limit:
        return FixedPoint("no limit", math.nan, math.nan, math.nan)
    kinds = []
    for number in range(len(program.layers)):
        slot = program.unrestricted_slot(number)
        everywhere = [
            np.array([row.get(q, 0.0) for q in program.cone.qubits])
            for process in program.problem.processes
            for row in process.rows(number)
        ]
        phases = [weights for weights in everywhere if weights.any()]
        if slot.empty and not phases:
            continue
        kinds.append(_kind_of_generators(program, slot, phases))
    if not kinds:
        return FixedPoint("no noise", math.nan, 1.0, 1.0)
    return FixedPoint(min(kinds, key=_ORDER.index), math.nan, math.nan, math.nan, _sectors(program))


def _kind_of_generators(program: Program, slot: SlotProgram, phases: list[Real]) -> str:
    down, up = np.zeros(program.width), np.zeros(program.width)
    for _, moves in slot.sites:
        down[moves.qubit] += moves.down
        up[moves.qubit] += moves.up
    for _, reset in slot.resets:
        down[list(reset.qubits)] += reset.rate / 2
        up[list(reset.qubits)] += reset.rate / 2
    for qubit, rate in _scrambled(slot):
        down[qubit] += rate
        up[qubit] += rate
    if np.all(down + up > 0):
        # The fixed point is a product of diag(1 - p, p); log2 of its purity adds up over qubits: -1 each for p = 1/2,
        # 0 for a pure one.
        excited = up / (down + up)
        entropy = -float(np.mean(np.log2(excited**2 + (1 - excited) ** 2)))
        return "too mixed" if entropy > 0.5 else "too symmetric"
    if slot.strings or slot.general:
        return "partly protected"
    linear = [jump.is_linear for jump in slot.jumps]
    rows = jump_weights(slot, program.width)[linear]
    matrix = np.stack([np.ones(program.width), *rows])
    level = np.abs(np.stack([*matrix, *phases]) - np.stack([*matrix, *phases])[:, :1]).max() < _SMALL
    if level and all(linear) and not np.any(down + up > 0):
        return "untouched"
    if np.linalg.matrix_rank(np.vstack([matrix, np.diag(down + up)])) == program.width:
        return "classical"
    return "partly protected"


def _scrambled(slot: SlotProgram) -> list[tuple[int, float]]:
    """Qubits on which jumps of two different Pauli letters act, with their rate: no state but 1/2 is left of each."""
    letters: dict[int, dict[str, float]] = {}
    alone = [(string.letters[0], string.rate) for _, string in slot.strings if len(string.letters) == 1]
    alone += [((jump.weights[0][0], "Z"), jump.rate) for jump in slot.jumps if len(jump.weights) == 1]
    for (qubit, letter), rate in alone:
        letters.setdefault(qubit, {})[letter] = rate
    return [(qubit, sum(found.values())) for qubit, found in letters.items() if len(found) > 1]


def _classify(
    engine: ExactEngine, theta: Real, rho: dict[int | None, Real], sigma: dict[int | None, Real]
) -> FixedPoint:
    size = sum(float(np.sum(a**2)) for a in rho.values())
    change = sum(float(np.sum((sigma[q] - rho[q]) ** 2)) for q in rho)
    purity = sum(float(np.sum(a**2)) for a in sigma.values())
    diagonal = sum(float(np.sum(np.einsum("kii->ki", a[0]) ** 2)) for a in sigma.values())
    diagonal_before = sum(float(np.sum(np.einsum("kii->ki", a[0]) ** 2)) for a in rho.values())
    coherence = max(0.0, purity - diagonal) / max(size - diagonal_before, 1e-300)
    before = engine.space.commutator_norms(theta, rho)
    after = engine.space.commutator_norms(theta, sigma)
    active = before > _SMALL
    commutator = float(np.max(after[active] / before[active], initial=0.0))
    if change < _SMALL * size:
        kind = "untouched"
    elif float(np.max(after, initial=0.0)) < _SMALL:
        # a mixed fixed point has lost its entropy to the noise, a pure one its dependence on the parameters
        entropy = -math.log2(max(purity, 1e-300)) / engine.program.width
        kind = "too mixed" if entropy > 0.5 else "too symmetric"
    elif coherence < _SMALL:
        kind = "classical"
    else:
        kind = "partly protected"
    return FixedPoint(kind, purity, commutator, coherence)


# -- in the commutant ----------------------------------------------------------------------------------------------


def _in_blocks(engine: BlockEngine[Any], program: SymmetricProgram, theta: Real) -> FixedPoint:
    """From each different noisy slot's limit on the noiseless state after its layer, and on two random operators."""
    space = engine.space
    generators = space.generator_blocks()
    # Two random operators stand for all: what the limit channel leaves of them commutes, with probability 1, only if
    # all that it can leave does. A second parameter point tells whether the limit still depends on the parameters.
    rng = np.random.default_rng(_SEED)
    probes = [_random(space, rng) for _ in range(2)]
    elsewhere = engine.layer_states(theta + rng.uniform(0.3, 2.0, theta.size))
    found: list[FixedPoint] = []
    seen: set[SlotProgram] = set()
    for layer, rho in enumerate(engine.layer_states(theta)):
        slot = program.unrestricted_slot(layer)
        if slot.empty or slot in seen:
            continue
        before = [rho, elsewhere[layer], *probes]
        after = [space.limit(layer, [x.copy() for x in state]) for state in before]
        found.append(_classify_blocks(space, generators, before, after))
        if found[-1].kind != "untouched":  # a later state may be touched by the same noise
            seen.add(slot)
    if not found:
        # noise that was left out because it is invisible in the commutant is noise all the same
        if program.invisible:
            return FixedPoint("untouched", math.nan, 1.0, 1.0, "respected")
        return FixedPoint("no noise", math.nan, 1.0, 1.0)
    mixed = any(one.sectors == "mixed" for one in found)
    return replace(min(found, key=lambda f: _ORDER.index(f.kind)), sectors="mixed" if mixed else "respected")


def _random(space: BlockSpace[Any], rng: np.random.Generator) -> Blocks:
    """A random Hermitian element of the commutant, of norm about 1 in every sector."""
    out = []
    for sector in space.sectors:
        m = sector.multiplicity
        x = rng.normal(size=(m, m)) + 1j * rng.normal(size=(m, m))
        out.append(np.asarray((x + x.conj().T) / (2 * m), dtype=np.complex128))
    return out


def _classify_blocks(
    space: BlockSpace[Any], generators: Sequence[Blocks], before: Sequence[Blocks], after: Sequence[Blocks]
) -> FixedPoint:
    """The class of a slot from what its noise leaves of the state, of that at other parameters and of two operators.

    Sizes are sums over sectors of ||X_lambda||^2, of weights without 1/d: else the small ones would hide the others.
    """
    (rho, other, *probes), (sigma, changed, *left) = before, after
    purity = sum(float(np.sum(np.abs(x) ** 2)) / s.dimension for x, s in zip(sigma, space.sectors, strict=True))
    moved = [(_commutator(h, rho), _commutator(h, sigma), math.sqrt(_size(h) * _size(sigma))) for h in generators]
    commutator = max((b / a for a, b, _ in moved if a > _SMALL), default=0.0)
    apart = _size(_difference(rho, other))
    forgets = apart > _SMALL**2 * _size(rho) and _size(_difference(sigma, changed)) <= _SMALL**2 * apart
    if _size(_difference(rho, sigma)) < _SMALL * _size(rho):
        kind = "untouched"
    elif forgets or all(b <= _SMALL * c for _, b, c in moved):
        entropy = -math.log2(max(purity, 1e-300)) / space.program.width
        kind = "too mixed" if entropy > 0.5 else "too symmetric"
    elif _commutator(left[0], left[1]) <= _SMALL * math.sqrt(_size(left[0]) * _size(left[1])):
        kind = "classical"
    else:
        kind = "partly protected"
    weights = [abs(np.trace(d)) for p, q in zip(probes, left, strict=True) for d in _difference(p, q)]
    return FixedPoint(kind, purity, commutator, math.nan, "respected" if max(weights) <= _SMALL else "mixed")


def _difference(first: Blocks, second: Blocks) -> Blocks:
    return [a - b for a, b in zip(first, second, strict=True)]


def _size(blocks: Blocks) -> float:
    return sum(float(np.sum(np.abs(x) ** 2)) for x in blocks)


def _commutator(first: Blocks, second: Blocks) -> float:
    return math.sqrt(_size([a @ b - b @ a for a, b in zip(first, second, strict=True)]))
