"""One task of a sweep: a problem and what is asked of it as plain data, its identity, and its answer as flat rows."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache, reduce
from importlib.metadata import version
from typing import Any

from qiskit import QuantumCircuit, qpy

from equinoise.coherence.law import law
from equinoise.coherence.law_record import Law, budget_rows, law_record
from equinoise.coherence.quantity import Record
from equinoise.coherence.rates import LAW_GRADIENTS
from equinoise.coherence.sample import positive_interval
from equinoise.device.snapshots import snapshot
from equinoise.diagnosis.averages import Simulation
from equinoise.diagnosis.diagnose import diagnose
from equinoise.diagnosis.drawing import gradients_of
from equinoise.diagnosis.loss.loss_diagnosis import LOSS_SWEEPS
from equinoise.diagnosis.record import SIMULATED
from equinoise.engines.draws import check_scale
from equinoise.engines.evaluate import GradientVariance, gradient_variance
from equinoise.engines.select import choose_engine
from equinoise.errors import ParameterError
from equinoise.model.qnn import Model
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem
from equinoise.reduction.program import compile_problem
from equinoise.sampling import Sampling
from equinoise.sources import load_circuit
from equinoise.sweeps.model_statement import MODEL_COLUMNS, ModelStatement

__all__ = ["QUANTITIES", "TASK_SCHEMA", "Task", "answered", "failed", "gradients", "run_task", "stated_problem"]

TASK_SCHEMA = 2
"""Raised whenever the same task would be answered by other numbers or other columns, so that stores do not mix them."""
QUANTITIES = ("law", "survival", "budget", "curve", "diagnosis")
# further points of the survival curve, relative to the scale; as a diagnosis has them
_CURVE = (0.5, 2.0, 4.0, 8.0)
# columns that a task may leave to its answer
_DECIDED = ("initial", "layout", "engine")


Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A problem and what is asked of it, as plain data that every worker can take.

    Attributes:
        source: What :func:`equinoise.load_circuit` builds, or the name of a circuit file.
        readout: Label, qubit indices as in the circuit.
        noise: Specification, or the name of a table.
        scale: Noise scale s in [0, infinity].
        samples: Number of draws.
        seed: Of the draws.
        shots: Per expectation value; for the verdict.
        quantities: What is wanted, of :data:`QUANTITIES`.
        initial: Initial state; None for the circuit's own preparation, or Néel.
        layout: Physical qubit of each circuit qubit; None to have one chosen where the noise is a device's.
        ensemble: "uniform" or "normal:WIDTH" in radians.
        engine: "auto" or an engine's name.
        relative_error: Of kappa, at which drawing stops early; None for never.
        noise_table: The noise as canonical JSON, if it was stated as a table.
        circuit_digest: SHA-256 of the circuit file's content; None for a builder.
        circuit_data: The file's circuit as QPY in base64, so that no worker needs the file.
        model: What makes the circuit a model, of which the whole diagnosis is asked; None for a circuit.
        study: The study's name; no part of the identity, nor are the next three.
        family: "brickwork", "ladder", ..., "file".
        num_qubits: Number of circuit qubits n.
        depth: As the builder was asked for; layers of a file's circuit.
        version: Of equinoise.

    Raises:
        ParameterError: An unknown quantity, or a number out of range.
    """

    source: str
    readout: str
    noise: str = "none"
    scale: float = 1.0
    samples: int = 128
    seed: int = 0
    shots: int = 10_000
    quantities: tuple[str, ...] = ("diagnosis",)
    initial: str | None = None
    layout: tuple[int, ...] | None = None
    ensemble: str = "uniform"
    engine: str = "auto"
    relative_error: float | None = None
    noise_table: str | None = None
    circuit_digest: str | None = None
    circuit_data: str | None = field(default=None, repr=False)
    model: ModelStatement | None = None
    study: str = ""
    family: str = ""
    num_qubits: int = 0
    depth: int = 0
    version: str = field(default_factory=lambda: version("equinoise"))

    def __post_init__(self) -> None:
        unknown = sorted(set(self.quantities) - set(QUANTITIES))
        if unknown or not self.quantities:
            raise ParameterError(
                f"quantities must be some of {', '.join(QUANTITIES)}; got {', '.join(unknown) or 'none'}."
            )
        for name, least in (("samples", 1), ("seed", 0), ("shots", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
                raise ParameterError(f"{name} must be a whole number >= {least}, got {value!r}.")
        object.__setattr__(self, "scale", check_scale(self.scale) + 0.0)  # -0.0 is 0.0
        object.__setattr__(self, "quantities", tuple(q for q in QUANTITIES if q in self.quantities))

    @property
    def sampling(self) -> Sampling:
        """How it is sampled; a worker runs one draw at a time."""
        return Sampling(self.samples, self.seed, 1, self.engine, self.ensemble)

    def content(self) -> Row:
        """What the answer depends on, and nothing else; circuit and noise files by their content."""
        # a circuit's identity is what it was before there were models
        model = {} if self.model is None else {"model": self.model.content()}
        return model | {
            "schema": TASK_SCHEMA,
            "version": self.version,
            "circuit": self.source if self.circuit_digest is None else f"sha256:{self.circuit_digest}",
            "readout": self.readout,
            "initial": self.initial,
            "noise": self.noise if self.noise_table is None else json.loads(self.noise_table),
            "layout": None if self.layout is None else list(self.layout),
            "scale": self.scale,
            "samples": self.samples,
            "seed": self.seed,
            "shots": self.shots,
            "ensemble": self.ensemble,
            "engine": self.engine,
            "relative_error": self.relative_error,
            "quantities": list(self.quantities),
        }

    @cached_property
    def key(self) -> str:
        """SHA-256 of the content as JSON with sorted keys, floats as Python repeats them."""
        text = json.dumps(self.content(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def stated(self) -> Row:
        """The columns of the result that are known beforehand."""
        named = {f.name for f in fields(self)} - {
            "circuit_data",
            "circuit_digest",
            "noise_table",
            "quantities",
            "model",
        }
        row = {name: getattr(self, name) for name in named - {"layout", "relative_error"}}
        content = self.content() | {"scale": self.scale if math.isfinite(self.scale) else "inf"}  # JSON has no infinity
        of_model = dict.fromkeys(MODEL_COLUMNS) if self.model is None else {**self.model.columns(), "ensemble": None}
        return (
            row
            | of_model
            | {
                "key": self.key,
                "initial": self.initial or "own",
                "layout": None if self.layout is None else ",".join(map(str, self.layout)),
                "task": json.dumps(content, sort_keys=True),
            }
        )


def gradients(task: Task) -> int:
    """How many gradients a task takes, for the choice of an engine and for estimates of time."""
    if task.model is not None:
        return LOSS_SWEEPS * task.model.rows * task.samples
    curve = len(_CURVE) if 0 < task.scale < math.inf else 0
    if "diagnosis" in task.quantities:
        return gradients_of(task.samples, curve)
    count = LAW_GRADIENTS if {"law", "budget"} & set(task.quantities) else 0
    if {"survival", "curve"} & set(task.quantities):
        count += 2 + (curve if "curve" in task.quantities else 0)
    return count * task.samples


def run_task(task: Task) -> Row:
    """The answer to a task: {"row": one flat row, "budget": rows, "curve": rows}; never raises.

    What goes wrong is in the row: status "failed" with the error's type and text.

    Args:
        task: What to do; needs no file.

    Example:
        >>> answer = run_task(Task("brickwork:n=4,depth=2", "Z2", "dephasing:0.01", samples=4, quantities=("law",)))
        >>> answer["row"]["status"], answer["row"]["engine"], len(answer["curve"])
        ('done', 'exact', 0)
    """
    began = time.perf_counter()
    try:
        if task.version != version("equinoise"):
            raise ParameterError(
                f"the task is for equinoise {task.version}, this worker has {version('equinoise')}. Install the same."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other packages' warnings; ours are in the result
            answer = _answer(task)
    except Exception as error:
        answer = failed(task, f"{type(error).__name__}: {error}")
    answer["row"]["seconds"] = time.perf_counter() - began
    return answer


def failed(task: Task, error: str) -> Row:
    """The answer that says why there is none."""
    return {"row": task.stated() | {"status": "failed", "error": error}, "budget": [], "curve": []}


def answered(task: Task, found: Mapping[str, Any], budget: list[Row], curve: list[Row]) -> Row:
    """A finished answer; numbers that are NaN were not computed and become None.

    What the task states stands as it was stated, apart from what the answer decided: input, layout and engine.
    """
    stated = task.stated()
    decided = {name: value for name, value in found.items() if name not in stated or name in _DECIDED}
    row = stated | {"status": "done", "error": None} | decided
    return {"row": _known(row), "budget": [_known(b) for b in budget], "curve": [_known(c) for c in curve]}


def _known(row: Row) -> Row:
    return {k: (None if isinstance(v, float) and math.isnan(v) else v) for k, v in row.items()}


# -- the problem, kept from one task to the next -----------------------------------------------------------------


def stated_problem(task: Task) -> Problem:
    """The problem that a task states; the last few are kept, with their compiled program and engines.

    Raises:
        EquinoiseError: Whatever is wrong with it.
    """
    if task.model is not None:
        return stated_model(task, task.model).problem
    circuit = (task.source, task.circuit_digest, task.circuit_data)
    return _problem(circuit, task.readout, task.initial, (task.noise, task.noise_table, task.layout))


def stated_model(task: Task, statement: ModelStatement) -> Model:
    """The model that a task states; the last few are kept likewise.

    Raises:
        EquinoiseError: Whatever is wrong with it.
    """
    circuit = (task.source, task.circuit_digest, task.circuit_data)
    return _model(circuit, statement, task.initial, (task.noise, task.noise_table, task.layout))


@lru_cache(maxsize=2)
def _model(
    circuit: tuple[str, str | None, str | None],
    statement: ModelStatement,
    initial: str | None,
    noise: tuple[str, str | None, tuple[int, ...] | None],
) -> Model:
    return statement.model(_circuit(*circuit), initial, _noise(*noise))


@lru_cache(maxsize=2)
def _problem(
    circuit: tuple[str, str | None, str | None],
    readout: str,
    initial: str | None,
    noise: tuple[str, str | None, tuple[int, ...] | None],
) -> Problem:
    problem = Problem(_circuit(*circuit), readout, initial=initial, noise=_noise(*noise))
    if not problem.parameters:
        raise ParameterError(f"the circuit {circuit[0]!r} has no parameters, so that it has no gradient.")
    return problem


@lru_cache(maxsize=8)
def _circuit(source: str, digest: str | None, data: str | None) -> QuantumCircuit:
    if digest is None or data is None:
        return load_circuit(source)
    return qpy.load(io.BytesIO(base64.b64decode(data)))[0]


@lru_cache(maxsize=8)
def _noise(noise: str, table: str | None, layout: tuple[int, ...] | None) -> NoiseModel:
    if table is not None:
        return NoiseModel.from_dict(json.loads(table), name=noise)
    if layout is None:
        return NoiseModel.from_string(noise)
    models = []
    for part in (part.strip() for part in noise.split("+")):
        device = part.startswith("ibm:")
        models.append(NoiseModel.from_backend(snapshot(part), layout) if device else NoiseModel.from_string(part))
    return reduce(NoiseModel.combined, models)


# -- answers -----------------------------------------------------------------------------------------------------


def _answer(task: Task) -> Row:
    problem = stated_problem(task)
    program, placement = compile_problem(problem), problem.noise.placement
    found: Row = {
        "width": program.width,
        "parameters": len(program.parameters),
        "noise_class": str(program.noise_class),
        "initial": problem.initial.name,
        "layout": None if placement is None else ",".join(map(str, placement.layout)),
        "device": None if placement is None else placement.device,
        "noise_terms": problem.stated_noise.describe(),
    }
    if task.model is not None:
        return _answer_of_model(task, stated_model(task, task.model), found)
    if "diagnosis" in task.quantities:
        result = diagnose(
            problem,
            task.scale,
            shots=task.shots,
            sampling=task.sampling,
            relative_error=task.relative_error,
            depth=False,
        )
        record = result.record
        found |= record.columns() | {"diagnosis": json.dumps(record.data, allow_nan=False)}
        simulated = [{"scale": one.scale, "survival": one.survival, "law": one.law} for one in result.curve]
        return answered(task, found, budget_rows(result.law.budget, ","), simulated)
    wanted = set(task.quantities)
    budget: list[Row] = []
    curve: list[Row] = []
    known: Law | None = None
    if wanted & {"law", "budget"}:
        choice = choose_engine(problem, task.engine, workers=1, draws=LAW_GRADIENTS * task.samples)
        known = law(
            problem,
            sampling=replace(task.sampling, engine=choice.engine.name),
            relative_error=task.relative_error,
        )
        found |= law_record(known, task.scale).columns() | {"engine_reason": choice.reason}
        found["noiseless_rms"] = math.sqrt(known.variance / max(1, len(program.parameters)))
        budget = budget_rows(known.budget, ",") if "budget" in wanted else []
    if wanted & {"survival", "curve"}:
        further = [f * task.scale for f in _CURVE if "curve" in wanted and 0 < task.scale < math.inf]
        scales = [0.0, task.scale, *further]
        choice = choose_engine(problem, task.engine, workers=1, draws=len(scales) * task.samples)
        variance = gradient_variance(problem, scales, sampling=replace(task.sampling, engine=choice.engine.name))
        if known is None:
            found |= {"engine": variance.engine, "engine_reason": choice.reason}
        found |= _of_variance(variance, max(1, len(program.parameters)), sampled=not choice.engine.exact)
        laws = [math.nan if known is None else float(known.survival(s)) for s in further]
        points = zip(further, variance.survival[2:], laws, strict=True)
        curve = [{"scale": s, "survival": float(r), "law": at} for s, r, at in points]
    return answered(task, found, budget, curve)


def _answer_of_model(task: Task, model: Model, found: Row) -> Row:
    """The diagnosis of a model; its columns are named as a circuit's where they mean the same."""
    result = diagnose(model, task.scale, shots=task.shots, sampling=task.sampling)
    record, point, noisy = result.record, result.law.points[0], result.noisy_rms
    left, turned = point.survival, point.direction
    ends = (left.interval, noisy.value, noisy.interval, turned.value, turned.interval)
    simulation = Simulation(False, left.value, *ends)
    found |= record.columns() | Record.of(simulation, SIMULATED).columns()
    found |= {"parameters": model.trained.size, "diagnosis": json.dumps(record.data, allow_nan=False)}
    return answered(task, found, budget_rows(result.law.budget, ","), [])


def _of_variance(result: GradientVariance, count: int, *, sampled: bool) -> Row:
    """V(0) and V(s), with 95 % intervals from their standard errors."""

    def rms(index: int) -> tuple[float, float, float]:
        value, error = float(result.variance[index]), float(result.standard_error[index])
        known = (value, *positive_interval(value, error, result.samples))
        of, low, high = (math.sqrt(max(0.0, v) / count) for v in known)
        return of, low, high

    (clean, clean_low, clean_high), (noisy, *rms_interval) = rms(0), rms(1)
    survival = float(result.survival[1])
    interval = positive_interval(survival, float(result.survival_error[1]), result.samples)
    unknown = (math.nan, math.nan)
    simulation = Simulation(sampled, survival, interval, noisy, (rms_interval[0], rms_interval[1]), math.nan, unknown)
    return Record.of(simulation, SIMULATED).columns() | {
        "variance": float(result.variance[0]),
        "noiseless_rms": clean,
        "noiseless_low": clean_low,
        "noiseless_high": clean_high,
    }
