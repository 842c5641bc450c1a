"""What a diagnosis says of symmetry and light cone: what was claimed, what the noise leaves of it, what it saves."""

from __future__ import annotations

import math
from typing import Any

from equinoise.coherence.fixed_point import FixedPoint
from equinoise.engines.block_space import held_sectors, kept_symmetry
from equinoise.engines.contract import Engine
from equinoise.reduction.program import Program
from equinoise.reduction.symmetric_program import SymmetricProgram, symmetric_program
from equinoise.symmetry.commutant_dimension import commutant_dimension

__all__ = ["cone_facts", "equivariance_facts", "symmetry_facts", "symmetry_warnings"]

# more sectors than these are counted, the largest listed
_LISTED = 64
_TERMS = 3


def equivariance_facts(engine: Engine) -> dict[str, Any]:
    """Charge, sector, sector_dimension, noise_class, conserving, breaking; the first three for the charge."""
    program, problem = engine.program, engine.program.problem
    claimed = symmetric_program(problem)
    kind = program.noise_class if claimed is None else claimed.noise_class
    breaking = [*problem.breaking, *kind.breaking]
    if problem.by_charge and not problem.readout_conserves:
        breaking.append(f"readout {problem.readout_label}")
    n = problem.num_qubits
    reduced = claimed is not None and claimed.symmetry.trivial
    return {
        "charge": "sum_i (1 - Z_i)/2" if problem.by_charge else None,
        "sector": problem.charge,
        "sector_dimension": None if problem.charge is None else math.comb(n, problem.charge),
        "noise_class": "broken" if reduced else str(kind),
        "conserving": not problem.breaking and (problem.readout_conserves or not problem.by_charge),
        "breaking": breaking,
    }


def symmetry_facts(engine: Engine, fixed_point: FixedPoint) -> dict[str, Any]:
    """What was claimed and kept, the sectors held, the numbers in them, and what the noise does to the sectors.

    Returns:
        claimed, kept (names; kept is "none" in the full space, and more than claimed where the engine finds more),
        broken_by (noise terms), left_out (noise that the commutant does not see), sectors (label, multiplicity and
        dimension of each; of many the largest), num_sectors, numbers (of one density matrix), claimed_numbers (if the
        noise had broken nothing; None where it has no closed form), noise_on_sectors ("respected", "mixed" or None).
    """
    problem = engine.program.problem
    sectors = held_sectors(engine)
    listed = sorted(sorted(sectors, key=lambda s: -s.multiplicity)[:_LISTED], key=sectors.index)
    claimed = symmetric_program(problem)
    return {
        "claimed": str(problem.symmetry),
        "kept": kept_symmetry(engine),
        "broken_by": [] if claimed is None else list(claimed.noise_class.breaking),
        "left_out": [] if claimed is None else list(claimed.invisible),
        "sectors": [{"label": s.label, "multiplicity": s.multiplicity, "dimension": s.dimension} for s in listed],
        "num_sectors": len(sectors),
        "numbers": sum(s.multiplicity**2 for s in sectors),
        "claimed_numbers": None if claimed is None else commutant_dimension(claimed.claimed),
        "noise_on_sectors": fixed_point.sectors or None,
    }


def cone_facts(engine: Engine) -> dict[str, Any]:
    """Qubits, width, charges, dimension, full_dimension, parameters."""
    program = engine.program
    charges = [q for q in program.charges if q is not None] if isinstance(program, Program) else []
    return {
        "qubits": list(program.cone.qubits),
        "width": program.width,
        "charges": charges or None,
        "dimension": sum(s.multiplicity**2 for s in held_sectors(engine)),
        "full_dimension": 4**program.problem.num_qubits,
        "parameters": len(program.parameters),
    }


def symmetry_warnings(engine: Engine) -> tuple[str, ...]:
    """What the noise breaks of another symmetry than the charge, and what was done; what was left out."""
    claimed = symmetric_program(engine.program.problem)
    if claimed is None:
        return ()
    out = []
    if isinstance(engine.program, Program) and not claimed.symmetry.trivial:
        where = "the full space of the light cone" if engine.program.full else "charge sectors"
        out.append(f"engine {engine.name!r} makes no use of {claimed.symmetry}: computed in {where}")
    elif claimed.reduced:
        numbers = sum(s.multiplicity**2 for s in held_sectors(engine))
        before = commutant_dimension(claimed.claimed)
        instead = "" if before is None else f" instead of {before:,}"
        kept = f"with {_kept(claimed)}" if not claimed.symmetry.trivial else "in the full space of the light cone"
        out.append(
            f"the noise breaks {claimed.claimed} ({_some(claimed.noise_class.breaking)}); computed {kept}: "
            f"{numbers:,} numbers a density matrix{instead}"
        )
    if claimed.invisible:
        why = f"it is invisible to every operator that {claimed.claimed} leaves alone"
        out.append(f"left out, since {why}: {_some(claimed.invisible)}")
    return tuple(out)


def _kept(program: SymmetricProgram) -> str:
    renumbered = program.width < program.problem.num_qubits
    return f"{program.symmetry}" + (" (qubits of the light cone, counted from 0)" if renumbered else "")


def _some(terms: tuple[str, ...]) -> str:
    more = f" and {len(terms) - _TERMS} more" if len(terms) > _TERMS else ""
    return ", ".join(terms[:_TERMS]) + more
