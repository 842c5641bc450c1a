"""One record of a diagnosis: what was asked and what was found, each quantity named once; all views pick from it."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.stored.digest import circuit_digest
from equinoise.coherence.law_record import LAW, Law, LawAt
from equinoise.coherence.quantity import Quantity, Record
from equinoise.coherence.sample import Interval, PairedDraws
from equinoise.diagnosis.averages import MechanismShare, Simulation, SurvivalPoint
from equinoise.diagnosis.shots import Resources
from equinoise.diagnosis.stopping import Stopping
from equinoise.diagnosis.verdict import Verdict
from equinoise.errors import ParameterError
from equinoise.initial import InitialState
from equinoise.problem import Problem

__all__ = [
    "DIAGNOSIS",
    "SCHEMA",
    "SIMULATED",
    "STATED",
    "Advised",
    "Findings",
    "circuit_facts",
    "diagnosis_record",
    "operator_terms",
    "read_record",
]

Real = npt.NDArray[np.float64]

SCHEMA = "equinoise.diagnosis/3"


class Advised(Protocol):
    """What an advisor answers, such as :func:`equinoise.advise`."""

    @property
    def texts(self) -> tuple[str, ...]:
        """What would help, most helpful first."""

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data for JSON."""


@dataclass(frozen=True)
class Findings:
    """What was found about a problem, in the order in which a reader asks.

    Attributes:
        problem: What was diagnosed.
        scale: Noise scale s of the verdict.
        equivariance: charge, sector, sector_dimension, noise_class, breaking.
        symmetry: What was claimed and kept, its sectors, and what the noise does to them; see
            :func:`equinoise.diagnosis.reduction_summary.symmetry_facts`.
        light_cone: qubits, width, dimension, full_dimension, charges, parameters.
        noiseless_rms: sqrt(V(0)/K), K parameters in the cone; per radian.
        noiseless_interval: 95 % interval of it.
        noiseless_per_parameter: sqrt(E g_k^2), shape (K,), all circuit parameters.
        law: The coherence law.
        simulated: The noisy simulation at the scale.
        curve: Simulated survival at a few more scales.
        resources: Shots, scale and depth.
        verdict: One word and its reason.
        advice: What would help most, most effective first.
        suggestions: The advisor's answer; None if it was not asked.
        engine: Engine's name.
        engine_reason: Why it was taken, with memory and number of draws at once.
        samples: Number of draws.
        seed: Of the draws.
        sampling: What was asked of the draws: samples, seed, engine, ensemble, relative_error.
        stopping: Why drawing ended, and what is still open.
        warnings: What was assumed, clipped, dropped or approximated.
        mechanisms: Kappa's parts by kind of noise, costliest first; none where kappa cannot be told from 0.
        draws: What :meth:`equinoise.Diagnosis.compare` compares, draw by draw; not in the record.
    """

    problem: Problem = field(repr=False)
    scale: float
    equivariance: dict[str, Any]
    symmetry: dict[str, Any]
    light_cone: dict[str, Any]
    noiseless_rms: float
    noiseless_interval: Interval
    noiseless_per_parameter: Real
    law: Law
    simulated: Simulation
    curve: tuple[SurvivalPoint, ...]
    resources: Resources
    verdict: Verdict
    advice: tuple[str, ...]
    suggestions: Advised | None
    engine: str
    engine_reason: str
    samples: int
    seed: int | None
    sampling: dict[str, Any]
    stopping: Stopping
    warnings: tuple[str, ...]
    mechanisms: tuple[MechanismShare, ...]
    draws: PairedDraws = field(repr=False)


# -- what was asked --------------------------------------------------------------------------------------------------


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("equinoise", "qiskit", "numpy")} | {"python": platform.python_version()}


def _name(circuit: QuantumCircuit) -> str:
    """Without the running number that Qiskit puts behind a circuit that was given no name."""
    name = str(circuit.name)
    kind, _, number = name.partition("-")
    return kind if kind == QuantumCircuit.prefix and number.replace("-", "").isdecimal() else name


def circuit_facts(problem: Problem, circuit: QuantumCircuit) -> dict[str, Any]:
    """What a circuit is called, its identity and size.

    Args:
        problem: Whose layers it has.
        circuit: As the user stated it.
    """
    return {
        "name": _name(circuit),
        "sha256": circuit_digest(circuit),
        "num_qubits": problem.num_qubits,
        "num_parameters": len(circuit.parameters),
        "couplings": sorted(
            {(min(b.qubits), max(b.qubits)) for layer in problem.layers for b in layer.blocks if len(b.qubits) == 2}
        ),
    }


def operator_terms(readout: SparsePauliOp) -> list[Any]:
    """The terms of an operator, ["Z0Z1", 0.5] each, on the circuit's qubits."""
    return [
        ["".join(f"{letter}{q}" for letter, q in zip(letters, qubits, strict=True)), float(c.real)]
        for letters, qubits, c in readout.to_sparse_list()
    ]


def _amplitudes(state: InitialState) -> bytes:
    amplitudes = state.vector if state.product is None else state.product
    return np.ascontiguousarray(amplitudes).tobytes()


def _slots(problem: Problem) -> bytes:
    """What the noise is in each slot: of a device's, what its calibration gives for these layers and this layout."""
    return json.dumps([[term.plain() for term in slot.terms] for slot in problem.slots], sort_keys=True).encode()


# -- what was found --------------------------------------------------------------------------------------------------


def _real(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "DOUBLE")


_WORD, _COUNT, _RADIAN = "VARCHAR", "INTEGER", "per radian"

SIMULATED: tuple[Quantity[Simulation], ...] = (
    Quantity("simulated.kind", lambda x: "sampled" if x.sampled else "exact", columns={"survival_kind": _WORD}),
    Quantity("simulated.survival", lambda x: x.survival, interval="simulated.interval", columns=_real("survival")),
    Quantity("simulated.interval", lambda x: x.interval, columns=_real("survival_low", "survival_high")),
    Quantity(
        "simulated.rms_gradient",
        lambda x: x.rms_gradient,
        _RADIAN,
        "simulated.rms_interval",
        columns=_real("rms_gradient"),
    ),
    Quantity("simulated.rms_interval", lambda x: x.rms_interval, columns=_real("rms_low", "rms_high")),
    Quantity(
        "simulated.direction",
        lambda x: x.direction,
        interval="simulated.direction_interval",
        columns=_real("direction"),
    ),
    Quantity(
        "simulated.direction_interval",
        lambda x: x.direction_interval,
        columns=_real("direction_low", "direction_high"),
    ),
)
"""What the noisy simulation says."""

STATED: tuple[Quantity[Problem], ...] = (
    Quantity("versions", lambda _: _versions()),
    Quantity("circuit", lambda x: circuit_facts(x, x.circuit), columns={"num_qubits": _COUNT}),
    Quantity("layers", lambda x: {"count": len(x.layers), "found": x.layers_found}),
    Quantity("qubit_layout", lambda x: None if x.layout is None else x.layout.plain()),
    Quantity("readout.label", lambda x: x.readout_label, columns={"readout": _WORD}),
    Quantity("readout.projected", lambda x: x.projected),
    Quantity("readout.terms", lambda x: operator_terms(x.readout)),
    Quantity("initial.name", lambda x: x.initial.name, columns={"initial": _WORD}),
    Quantity("initial.sha256", lambda x: hashlib.sha256(_amplitudes(x.initial)).hexdigest()),
    Quantity("noise.name", lambda x: x.noise.name, columns={"noise": _WORD}),
    Quantity("noise.stated", lambda x: x.stated_noise.to_dict()),
    Quantity("noise.slots_sha256", lambda x: hashlib.sha256(_slots(x)).hexdigest()),
    Quantity("noise.device", lambda x: getattr(x.noise.placement, "device", None), columns={"device": _WORD}),
    Quantity("noise.layout", lambda x: getattr(x.noise.placement, "layout", None), columns={"layout": _WORD}),
)
"""What was asked: the problem as it was stated."""

DIAGNOSIS: tuple[Quantity[Findings], ...] = (
    Quantity("schema", lambda _: SCHEMA),
    *(one.of(lambda x: x.problem) for one in STATED),
    Quantity("scale", lambda x: x.scale, open=math.inf, columns=_real("scale")),
    Quantity("sampling", lambda x: x.sampling),
    Quantity("stopping", lambda x: x.stopping),
    Quantity("equivariance", lambda x: x.equivariance, columns={"noise_class": _WORD}),
    Quantity("symmetry", lambda x: x.symmetry),
    Quantity("light_cone", lambda x: x.light_cone, columns={"width": _COUNT, "parameters": _COUNT}),
    Quantity(
        "noiseless.rms_gradient",
        lambda x: x.noiseless_rms,
        _RADIAN,
        "noiseless.interval",
        columns=_real("noiseless_rms"),
    ),
    Quantity("noiseless.interval", lambda x: x.noiseless_interval, columns=_real("noiseless_low", "noiseless_high")),
    Quantity("noiseless.per_parameter", lambda x: _named(x.problem, x.noiseless_per_parameter)),
    *(one.of(lambda x: LawAt(x.law, x.scale)) for one in LAW),
    Quantity("law.mechanisms", lambda x: x.mechanisms),
    Quantity("law.kappa_per_parameter", lambda x: _named(x.problem, x.law.kappa_per_parameter)),
    *(one.of(lambda x: x.simulated) for one in SIMULATED),
    Quantity("curve", lambda x: x.curve),
    Quantity("resources.shots", lambda x: x.resources.shots, columns={"shots": "BIGINT"}),
    Quantity("resources.shot_variance", lambda x: x.resources.shot_variance, columns=_real("shot_variance")),
    Quantity("resources.settings", lambda x: x.resources.settings),
    Quantity("resources.evaluations", lambda x: x.resources.evaluations),
    Quantity("resources.shift_weight", lambda x: x.resources.shift_weight),
    Quantity("resources.resolved_rms", lambda x: x.resources.resolved_rms, _RADIAN),
    Quantity("resources.readout_factor", lambda x: x.resources.readout_factor),
    Quantity(
        "resources.measured_rms",
        lambda x: x.resources.measured_rms,
        _RADIAN,
        "resources.measured_interval",
        columns=_real("measured_rms"),
    ),
    Quantity("resources.measured_interval", lambda x: x.resources.measured_interval),
    Quantity(
        "resources.shots_per_gradient",
        lambda x: x.resources.shots_per_gradient,
        open=math.inf,
        columns=_real("shots_per_gradient"),
    ),
    Quantity("resources.greatest_scale", lambda x: x.resources.greatest_scale, open=math.inf),
    Quantity("resources.greatest_scale_unbounded", lambda x: math.isinf(x.resources.greatest_scale)),
    Quantity("resources.greatest_depth", lambda x: getattr(x.resources.greatest_depth, "depth", None)),
    Quantity("resources.greatest_depth_at_least", lambda x: getattr(x.resources.greatest_depth, "at_least", None)),
    Quantity("resources.greatest_depth_draws", lambda x: getattr(x.resources.greatest_depth, "samples", None)),
    Quantity("verdict", lambda x: x.verdict.word, columns={"verdict": _WORD}),
    Quantity("verdict_reason", lambda x: x.verdict.reason, columns={"verdict_reason": _WORD}),
    Quantity("advice", lambda x: x.advice),
    Quantity("suggestions", lambda x: None if x.suggestions is None else x.suggestions.to_dict()),
    Quantity("engine_reason", lambda x: x.engine_reason, columns={"engine_reason": _WORD}),
    Quantity("warnings", lambda x: x.warnings),
)
"""All that a diagnosis says. A line here is in JSON, and with columns in the store; tables and pages pick by path."""


def _named(problem: Problem, values: Real) -> dict[str, float]:
    """By parameter."""
    return {p.name: float(value) for p, value in zip(problem.parameters, values, strict=True)}


def diagnosis_record(found: Findings) -> Record:
    """The record of a diagnosis."""
    return Record.of(found, DIAGNOSIS)


def read_record(data: Mapping[str, Any]) -> Record:
    """The record of a diagnosis from its JSON, to be shown without the problem.

    Args:
        data: As ``Diagnosis.to_dict()`` gives it.

    Raises:
        ParameterError: It is none, or one of another schema.
    """
    if data.get("schema") != SCHEMA:
        raise ParameterError(
            f"no record of a diagnosis with the schema {SCHEMA!r}, but {data.get('schema')!r}. Read it with the "
            "equinoise that wrote it, or ask again."
        )
    return Record(data, DIAGNOSIS)
