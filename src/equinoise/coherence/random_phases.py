"""The condition of the certificate's proof: independent uniform phases that tell apart what the noise tells apart.

Let the parameters phi_a enter the circuit once each, as exp(-i phi_a sum_i u_ai Z_i / 2) next to a noise slot: nothing
but diagonal gates stands between. An element |x><y| there takes the phases exp(-i sum_a phi_a u_a.dz / 2) with
dz = z_x - z_y, and decays at a rate Gamma(dz). Where Gamma depends on the numbers (u_a.dz)_a alone, the readout is a
sum over histories h of these numbers,

    C(theta; s) = sum_h exp(-s Gamma_h) exp(-i phi.h / 2) c_h,

with c_h independent of phi and s, and the mean of (dC/dtheta_k)^2 over uniform phi keeps equal histories alone:

    E (dC/dtheta_k)^2 = sum_h exp(-2 s Gamma_h) E |d_k c_h|^2

for every parameter, the phi_a included (their derivative is h_a/2, up to a sign). With a rotation of its own on each
qubit, u_a = e_i, any diagonal noise will do; with rotations shared by several qubits, noise whose jumps
K = sum_i v_i Z_i have v in the span of the u_a.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from equinoise.circuit.blocks import Block
from equinoise.circuit.gates import Rotation
from equinoise.circuit.steps import Step
from equinoise.ensemble import periods
from equinoise.problem import Problem
from equinoise.reduction.compiled import CompiledProblem
from equinoise.reduction.slots.slot_program import jump_weights

__all__ = ["random_phases", "shared_phases"]

Real = npt.NDArray[np.float64]


def random_phases(problem: Problem, program: CompiledProblem) -> str | None:
    """Whether each qubit that the readout sees carries its own Z rotation next to every noisy slot; the gap, or None.

    A rotation counts in the slot's own layer after the last gate that is not diagonal, or in the next layer before the
    first one, if its parameter enters no other gate.
    """
    uses: Counter[int] = Counter()
    for layer in problem.layers:
        for block in layer.blocks:
            uses.update(k for r in block.rotations for k, _ in r.angle.coefficients)
    for number in _noisy(program):
        before, after = _blocks(problem, number)
        for qubit in sorted(program.cone.seen[number]):
            if not (_has_own_phase(_wire(before, qubit)[::-1], uses) or _has_own_phase(_wire(after, qubit), uses)):
                return f"qubit {qubit} has no Z rotation of its own next to the noise slot of layer {number}"
    return None


def shared_phases(program: CompiledProblem) -> str | None:
    """Whether independent Z rotations, each on one or several qubits, span the jumps of every noisy slot; the gap."""
    steps = program.problem.steps
    uses = Counter(k for step in steps for k, _ in step.angle.coefficients)
    period = periods(program.problem)
    place = {q: i for i, q in enumerate(program.cone.qubits)}
    for number in _noisy(program):
        # Gamma(dz) depends on (v_j . dz)_j; if every v_j is a combination of the u_a, equal (u_a . dz)_a have equal
        # Gamma, which is the condition of the proof. That is a comparison of ranks.
        seen = [place[q] for q in sorted(program.cone.seen[number])]
        spanning = _rotations(program, number, steps, uses, period)[:, seen]
        needed = _needed(program, number)[:, seen]
        rank = np.linalg.matrix_rank(spanning) if spanning.size else 0
        if np.linalg.matrix_rank(np.vstack([spanning, needed])) > rank:
            return (
                f"next to the noise slot of layer {number} stand {len(spanning)} independent Z rotations, which do not "
                f"span its {len(needed)} jumps: gates share their angles, so that different histories interfere"
            )
    return None


def _noisy(program: CompiledProblem) -> list[int]:
    return [
        number
        for number, slot in enumerate(program.slots)
        if not slot.empty or any(process.coefficients[number].any() for process in program.processes)
    ]


def _blocks(problem: Problem, number: int) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """Those of a slot's own layer and of the next."""
    after = problem.layers[number + 1].blocks if number + 1 < len(problem.layers) else ()
    return problem.layers[number].blocks, after


def _needed(program: CompiledProblem, number: int) -> Real:
    """What the jumps of a slot tell apart: rows v of sums, and each qubit of a product of Z by itself."""
    slot = program.slots[number]
    rows = []
    for row, (_, weights, parity) in zip(jump_weights(slot, program.width), slot.jumps, strict=True):
        rows += [np.eye(program.width)[i] for i, _ in weights] if parity else [row]
    return np.array(rows).reshape(-1, program.width)


def _rotations(program: CompiledProblem, number: int, steps: Sequence[Step], uses: Counter[int], period: Real) -> Real:
    """Rows u_a of the independent uniform Z rotations next to a slot, on cone qubits."""
    problem = program.problem
    place = {q: i for i, q in enumerate(program.cone.qubits)}
    before, after = _blocks(problem, number)
    near: dict[int, dict[int, set[int]]] = {number: {}, number + 1: {}}
    rows = []
    for step in steps:
        if step.layer not in near or len(step.angle.coefficients) != 1:
            continue
        k = step.angle.coefficients[0][0]
        if uses[k] > 1 or any(len(string) != 1 or string[0][1] != "Z" for string in step.generator):
            continue
        reached = near[step.layer]
        for qubit in step.qubits - reached.keys():
            wire = _wire(before, qubit)[::-1] if step.layer == number else _wire(after, qubit)
            reached[qubit] = {id(r) for r in _leading_diagonal(wire)}
        if not all(id(r) in reached.get(q, ()) for r in step.rotations for q in r.touched):
            continue
        # A step exp(-i phi sum_i c_i Z_i) is exp(-i phi sum_i u_i Z_i/2) with u = 2 c. On |x><y| it is the phase phi
        # (u . dz)/2, and dz is even: its mean over the period T of phi is 0 unless u . dz = 0, as soon as each u_i
        # T/(2 pi) is whole.
        row = np.zeros(program.width)
        for ((qubit, _),), coefficient in step.generator.items():
            if qubit in place:
                row[place[qubit]] = 2 * coefficient
        turns = row * period[k] / (2 * math.pi)
        if np.abs(turns - np.round(turns)).max() < 1e-9:  # else its mean over the ensemble's interval is not 0
            rows.append(row)
    return np.array(rows).reshape(-1, program.width)


def _wire(blocks: Sequence[Block], qubit: int) -> list[Rotation]:
    return [r for block in blocks for r in block.rotations if qubit in r.touched]


def _leading_diagonal(rotations: Sequence[Rotation]) -> list[Rotation]:
    out = []
    for rotation in rotations:
        generator = rotation.generator
        if np.abs(generator - np.diag(np.diag(generator))).max() > 1e-12:
            break
        out.append(rotation)
    return out


def _has_own_phase(rotations: Sequence[Rotation], uses: Counter[int]) -> bool:
    for rotation in _leading_diagonal(rotations):
        own = [k for k, _ in rotation.angle.coefficients]
        if len(rotation.touched) == 1 and len(own) == 1 and uses[own[0]] == 1:
            return True
    return False
