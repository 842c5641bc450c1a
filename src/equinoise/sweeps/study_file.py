"""The study file: a grid of problems stated in TOML, checked as a whole before anything runs, and its tasks."""

from __future__ import annotations

import base64
import difflib
import hashlib
import io
import itertools
import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit, qpy

from equinoise.circuit.angle_expressions import linear_in_atoms
from equinoise.circuit.layers import layered
from equinoise.device.snapshots import Calibration, snapshot
from equinoise.engines.select import ENGINES
from equinoise.errors import DeviceError, EquinoiseError, ParameterError, ReadoutError, SourceError
from equinoise.initial import parse_initial
from equinoise.limits import MOST_CIRCUITS, MOST_DRAWS, MOST_SHOTS, MOST_TASKS, check_file
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem
from equinoise.readout import commutes_with_charge, parse_readout
from equinoise.sources import load_circuit
from equinoise.sweeps.study_models import MODEL_KEYS, NOT_OF_MODELS, StatedModels, checked_readouts
from equinoise.sweeps.study_values import (
    Mistake,
    checked_choice,
    checked_ensemble,
    checked_layout,
    checked_noise_scale,
    checked_option,
    checked_share,
    checked_text,
    checked_whole,
)
from equinoise.sweeps.task import QUANTITIES
from equinoise.sweeps.task_grid import PLACES, CircuitPoint, NoisePoint, Study, placed_labels

__all__ = ["StudyFileError", "load_study", "study_from_dict"]

_KEYS = (
    "name",
    "circuits",
    "readouts",
    "initial",
    "noise",
    "layouts",
    "scales",
    "samples",
    "seeds",
    "shots",
    "ensemble",
    "engine",
    "relative_error",
    "quantities",
    *MODEL_KEYS,
)
# builders' options that are checked by type here; the order in which they are written, those not named come after
_OPTIONS = ("n", "depth", "interaction", "phase", "shared", "periodic")
_OTHER_SYMMETRIES = (
    "studies from files are of circuits that conserve the charge; for another symmetry use equinoise.diagnose or "
    "equinoise diagnose --symmetry"
)
_SUFFIXES = (".qasm", ".qasm2", ".qasm3", ".qpy")
_INCLUDE = re.compile(r'^\s*include\s+"([^"]+)"', re.MULTILINE)


class StudyFileError(EquinoiseError):
    """A study file has mistakes; all of them are listed, each by its key.

    Attributes:
        mistakes: "circuits[1].depth: ..." each.
    """

    def __init__(self, name: str, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        number = f"{len(self.mistakes)} mistakes" if len(self.mistakes) > 1 else "a mistake"
        super().__init__("\n".join([f"{name} has {number}:", *(f"  {mistake}" for mistake in self.mistakes)]))


def load_study(path: str | Path) -> Study:
    """A study from its TOML file; circuit and noise files are looked for beside it.

    Args:
        path: Of the file; docs/sweep.md explains it.

    Raises:
        StudyFileError: Everything that is wrong with it, each mistake by its key.
    """
    file = Path(path)
    label = f"the study file {str(file)!r}"
    try:
        check_file(file)
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError, SourceError) as error:  # ValueError: not text, or a zero byte in the name
        raise StudyFileError(label, [f"cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyFileError(label, [f"is not valid TOML: {error}"]) from None
    except ValueError as error:  # an integer of thousands of digits
        raise StudyFileError(label, [f"is not valid TOML: {error}"]) from None
    except RecursionError:
        raise StudyFileError(label, ["is not valid TOML: it is nested too deeply"]) from None
    return _Reader(data, file.parent, label).study(file.stem)


def study_from_dict(data: Mapping[str, Any], *, folder: str | Path = ".", name: str = "study") -> Study:
    """A study from the content of a study file.

    Args:
        data: As in the TOML file.
        folder: Where circuit and noise files are looked for.
        name: Of the study if the data has none.

    Raises:
        StudyFileError: Everything that is wrong with it, each mistake by its key.

    Example:
        >>> study = study_from_dict({
        ...     "circuits": [{"source": "brickwork", "n": [4, 6], "depth": [2, 3]}],
        ...     "readouts": ["middle"], "noise": ["dephasing:0.01", "collective:0.01"], "seeds": [0, 1],
        ... })
        >>> len(list(study.tasks())), [c.source for c in study.circuits][:2]
        (16, ['brickwork:n=4,depth=2', 'brickwork:n=4,depth=3'])
    """
    return _Reader(data, Path(folder)).study(name)


@dataclass
class _Reader:
    """Reads a study's data and gathers what is wrong with it."""

    data: Mapping[str, Any]
    folder: Path
    label: str = "the study"
    mistakes: list[tuple[str, str]] = field(default_factory=list)
    loaded: dict[str, QuantumCircuit] = field(default_factory=dict)
    noise_models: dict[str, NoiseModel] = field(default_factory=dict)
    of_models: bool = False

    def study(self, name: str) -> Study:
        for key in self.data:
            if key not in _KEYS:
                close = difflib.get_close_matches(key, _KEYS, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(_KEYS)}"
                self.wrong(key, _OTHER_SYMMETRIES if key == "symmetry" else f"unknown key; {hint}")
        for key in ("circuits", "readouts"):
            if key not in self.data:
                self.wrong(key, "is missing")
        if not isinstance(self.data.get("name", ""), str):
            self.wrong("name", f"must be a text, got {self.data['name']!r}")
        stated = StatedModels.read(self.data, self.folder, self.values, self.wrong)
        self.of_models = stated is not None
        circuits = self.circuits()
        readouts = self.values("readouts", partial(checked_readouts, of_models=self.of_models), [])
        initial = self.values("initial", checked_text, ["own"])
        noise = self.values("noise", self.noise, ["none"], tables=True)
        layouts = self.layouts(noise)
        self.check_readouts(readouts, circuits)
        self.check_initial(initial, circuits)
        self.check_noise(noise, circuits)
        self.check_layouts(layouts, noise, circuits)
        if stated is not None:
            self.check_models(stated, readouts, circuits)
        found: dict[str, Any] = {
            "scales": self.values("scales", checked_noise_scale, [1.0]),
            "samples": self.values("samples", lambda v: checked_whole(v, 1, MOST_DRAWS), [128]),
            "seeds": self.values("seeds", lambda v: checked_whole(v, 0), [0]),
            "shots": self.values("shots", lambda v: checked_whole(v, 1, MOST_SHOTS), [10_000]),
            "ensemble": self.values("ensemble", checked_ensemble, ["uniform"]),
            "engine": self.values("engine", lambda v: checked_choice(v, ("auto", *ENGINES)), ["auto"]),
            "relative_error": self.values("relative_error", checked_share, [None]),
            "quantities": self.values("quantities", lambda v: checked_choice(v, QUANTITIES), ["diagnosis"]),
        }
        models = [None] if stated is None else stated.statements()
        lists = (circuits, readouts, initial, noise, layouts, models, *found.values())
        tasks = math.prod(len(points) for points in lists)
        if tasks > MOST_TASKS:
            self.wrong(
                "study", f"has {tasks:,} tasks; at most {MOST_TASKS:,} are taken, a day's work. Shorten its lists"
            )
        if self.mistakes:
            raise StudyFileError(self.label, [f"{key}: {text}" for key, text in dict.fromkeys(self.mistakes)])
        return Study(
            name=str(self.data.get("name", name)),
            circuits=tuple(circuits),
            readouts=tuple(value for _, value in readouts),
            initial=tuple(None if value == "own" else value for _, value in initial),
            noise=tuple(value for _, value in noise),
            layouts=tuple(value for _, value in layouts),
            models=tuple(models),
            **{key: tuple(value for _, value in values) for key, values in found.items()},
        )

    def wrong(self, key: str, what: object) -> None:
        self.mistakes.append((key, " ".join(str(what).split())))

    def values(
        self, key: str, read: Callable[[Any], Any], default: list[Any], *, tables: bool = False
    ) -> list[tuple[str, Any]]:
        """(key path, value) of a list, or of a single value; wrong ones are noted and left out."""
        if key not in self.data:
            return [(key, read(value) if value is not None else None) for value in default]
        given = self.data[key]
        if isinstance(given, Mapping) and not tables:
            self.wrong(key, "must be a value or a list of values, got a table")
            return []
        if isinstance(given, list) and not given:
            self.wrong(key, "must not be empty")
        listed = [(f"{key}[{i}]", v) for i, v in enumerate(given)] if isinstance(given, list) else [(key, given)]
        out = []
        for where, value in listed:
            try:
                out.append((where, read(value)))
            except (Mistake, EquinoiseError) as error:
                self.wrong(where, error)
        return out

    # -- circuits ------------------------------------------------------------------------------------------------

    def circuits(self) -> list[CircuitPoint]:
        tables = self.data.get("circuits", [])
        if not isinstance(tables, list) or not all(isinstance(t, Mapping) for t in tables) or not tables:
            if "circuits" in self.data:
                self.wrong("circuits", "must be tables, written [[circuits]]")
            return []
        out: dict[str, CircuitPoint] = {}
        for index, table in enumerate(tables):
            for point in self.expanded(f"circuits[{index}]", table):
                out.setdefault(point.digest or point.source, point)
        return list(out.values())

    def expanded(self, where: str, table: Mapping[str, Any]) -> list[CircuitPoint]:
        if "source" not in table:
            self.wrong(f"{where}.source", "is missing: brickwork, ladder, ring, all-to-all, device, or a circuit file")
            return []
        sound = True
        lists: dict[str, list[str]] = {}
        for key, given in table.items():
            several = isinstance(given, list)
            lists[key] = []
            if several and not given:
                self.wrong(f"{where}.{key}", "must not be empty")
                sound = False
            for i, value in enumerate(given if several else [given]):
                try:
                    lists[key].append(checked_option(key, value))
                except Mistake as error:
                    self.wrong(f"{where}.{key}[{i}]" if several else f"{where}.{key}", error)
                    sound = False
        options = [key for key in lists if key != "source"]
        if not sound:  # what is left is still checked
            lists = {key: values for key, values in lists.items() if values or key == "source"}
            if set(options) - set(lists):
                return []
        number = math.prod(len(values) for values in lists.values())
        if number > MOST_CIRCUITS:
            self.wrong(
                where, f"has {number:,} circuits; at most {MOST_CIRCUITS:,} are taken, as each is built to check it"
            )
            return []
        out = []
        for source in lists["source"]:
            if source.lower().endswith(_SUFFIXES):
                for key in options:
                    self.wrong(f"{where}.{key}", f"a circuit file ({source}) takes no options")
                out += self.file(where, source)
                continue
            for chosen in itertools.product(*(lists[key] for key in options)):
                out += self.builder(where, source, dict(zip(options, chosen, strict=True)))
        return out

    def builder(self, where: str, source: str, chosen: dict[str, str]) -> list[CircuitPoint]:
        family, _, rest = source.partition(":")
        device = chosen.pop("device", "") if family == "device" else ""
        for item in filter(None, rest.split(",")):
            key, equals, value = (part.strip() for part in item.partition("="))
            if not equals and family == "device":
                device = key
            elif key in chosen:
                self.wrong(f"{where}.{key}", f"is also in the source {source!r}")
            else:
                chosen[key] = value
        order = [key for key in _OPTIONS if key in chosen] + sorted(set(chosen) - set(_OPTIONS))
        text = f"{family}:" + ",".join([device] * bool(device) + [f"{key}={chosen[key]}" for key in order])
        try:
            if family == "device" and not device:
                raise DeviceError('device = "NAME" is missing, e.g. device = "torino".')
            if text not in self.loaded:
                self.loaded[text] = load_circuit(text)
        except EquinoiseError as error:
            option = error.option if isinstance(error, SourceError) else None
            blamed = "n" if option == "num_qubits" else option
            if isinstance(error, DeviceError) and family == "device":
                blamed = "device"
            key = where if blamed is None else f"{where}.{blamed}"
            if all(key != wrong for wrong, _ in self.mistakes):  # once, not for each combination
                self.wrong(key, error)
            return []
        depth = chosen.get("depth", "0")
        qubits = self.loaded[text].num_qubits
        return [CircuitPoint(text, family, qubits, int(depth) if depth.isdecimal() else 0, where=where)]

    def file(self, where: str, source: str) -> list[CircuitPoint]:
        path = self.folder / source
        try:
            circuit = load_circuit(path)
            # the inputs of a model may enter nonlinearly, and before the first weight break the charge
            layers = (
                layered(linear_in_atoms(circuit).circuit).layers if self.of_models else Problem(circuit, "Z0").layers
            )
            if not circuit.parameters:
                raise ParameterError(f"{source} has no parameters, so that it has no gradient.")
        except EquinoiseError as error:
            self.wrong(f"{where}.source", error)
            return []
        buffer = io.BytesIO()
        qpy.dump(circuit, buffer)
        self.loaded[source] = circuit
        return [
            CircuitPoint(
                source,
                "file",
                circuit.num_qubits,
                len(layers),
                digest=_digest(path),
                data=base64.b64encode(buffer.getvalue()).decode(),
                where=where,
            )
        ]

    def check_readouts(self, readouts: list[tuple[str, Any]], circuits: list[CircuitPoint]) -> None:
        sizes = {circuit.num_qubits: circuit for circuit in reversed(circuits)}

        def check(label: str, circuit: CircuitPoint) -> None:
            if not commutes_with_charge(parse_readout(label, circuit.num_qubits)):
                raise ReadoutError(
                    f"{label!r} does not conserve the charge; Z5, Z1Z2 or X2X3+Y2Y3 do, or first, middle, last"
                )

        for where, label in (
            (where, label) for where, told in readouts for label in ([told] if isinstance(told, str) else told)
        ):
            if label not in PLACES:
                self.on_each([sizes[size] for size in sorted(sizes)], where, partial(check, label))
            if not sizes and label not in PLACES:
                try:
                    parse_readout(label, 1 + max((int(q) for q in re.findall(r"\d+", label)), default=0))
                except ReadoutError as error:
                    self.wrong(where, error)

    def check_models(self, stated: StatedModels, readouts: list[tuple[str, Any]], circuits: list[CircuitPoint]) -> None:
        for key, (served, reason) in NOT_OF_MODELS.items():
            given = self.data.get(key, [])
            if any(value not in served for value in (given if isinstance(given, list) else [given])):
                self.wrong(key, reason)
        if any(key.partition("[")[0] in ("readouts", *MODEL_KEYS) for key, _ in self.mistakes):
            return
        for circuit in circuits:
            placed = [(where, placed_labels(labels, circuit.num_qubits)) for where, labels in readouts]
            for key, what in stated.mistakes(self.loaded[circuit.source], circuit.where, placed):
                if all(key != wrong for wrong, _ in self.mistakes):  # once, not for each circuit
                    self.wrong(key, f"{what} ({circuit.where}: {circuit.source})")

    def check_initial(self, initial: list[tuple[str, Any]], circuits: list[CircuitPoint]) -> None:
        def check(state: str, circuit: CircuitPoint) -> None:
            parse_initial(state, circuit.num_qubits)

        for where, state in initial:
            if state != "own":
                self.on_each(circuits, where, partial(check, state))

    def on_each(self, circuits: Sequence[CircuitPoint], where: str, check: Callable[[CircuitPoint], object]) -> None:
        """Notes the first circuit that a value does not fit."""
        for circuit in circuits:
            try:
                check(circuit)
            except EquinoiseError as error:
                self.wrong(where, f"{error} ({circuit.where}: {circuit.source})")
                return

    # -- noise ---------------------------------------------------------------------------------------------------

    def noise(self, value: Any) -> NoisePoint:
        """A noise that can be read; whether it fits the circuits is looked at later."""
        if isinstance(value, Mapping):
            return self.table(value, str(value.get("name", "")))
        text = checked_text(value).strip()
        if text.lower().endswith((".toml", ".json")):
            path = self.folder / text
            model = NoiseModel.from_file(path)  # with messages that name the file
            content = path.read_text(encoding="utf-8")
            loads: Callable[[str], Any] = json.loads if text.lower().endswith(".json") else tomllib.loads
            return self.table(loads(content), model.name)
        model = NoiseModel.from_string(text)
        self.noise_models[text] = model
        return NoisePoint(text, device=model.calibration is not None)

    def table(self, value: Mapping[str, Any], label: str) -> NoisePoint:
        plain = {key: entry for key, entry in value.items() if key != "name"}
        model = NoiseModel.from_dict(plain)
        try:
            content = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise Mistake(f"must hold numbers, texts, lists and tables only: {error}") from None
        label = label or f"table {hashlib.sha256(content.encode()).hexdigest()[:8]}"
        self.noise_models[content] = model
        return NoisePoint(label, table=content)

    def check_noise(self, noise: list[tuple[str, Any]], circuits: list[CircuitPoint]) -> None:
        """Tables name qubits and layers, which every circuit must have."""

        def check(model: NoiseModel, circuit: CircuitPoint) -> None:
            outside = [q for q, _ in model.readout_error if q >= circuit.num_qubits]
            if outside:
                raise ParameterError(f"a readout error is given for qubit {outside[0]}")
            layers = layered(linear_in_atoms(self.loaded[circuit.source]).circuit).layers
            model.slots(layers, circuit.num_qubits)

        for where, point in noise:
            if point.table is not None:
                self.on_each(circuits, where, partial(check, self.noise_models[point.table]))

    def layouts(self, noise: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        given = self.data.get("layouts")
        if isinstance(given, list) and given and all(isinstance(q, int) for q in given):
            self.wrong("layouts", "must be a list of layouts, e.g. [[0, 1, 2], [4, 5, 6]]")
            return []
        labels = [point.label for _, point in noise if point.device]
        if given is not None and not labels:
            self.wrong("layouts", "places circuits on a device, but no noise is ibm:NAME")
        return self.values("layouts", lambda v: checked_layout(v, labels), ["auto"], tables=True)

    def check_layouts(
        self, layouts: list[tuple[str, Any]], noise: list[tuple[str, Any]], circuits: list[CircuitPoint]
    ) -> None:
        devices = [point for _, point in noise if point.device]
        for where, layout in layouts:
            wanted = [point for point in devices if layout.noise in (None, point.label)]
            for point in wanted if layout.qubits is not None else []:
                name = next(part.strip() for part in point.label.split("+") if part.strip().startswith("ibm:"))
                try:
                    Calibration.from_backend(snapshot(name), layout.qubits)
                except DeviceError as error:
                    self.wrong(where, error)
                    break
            if circuits and devices and not any(layout.fits(c, p) for c in circuits for p in wanted):
                self.wrong(where, f"has {len(layout.qubits or ())} qubits, which no circuit of the study has")
        for circuit in circuits if layouts else []:
            for point in devices:
                if not any(layout.fits(circuit, point) for _, layout in layouts):
                    self.wrong(
                        "layouts",
                        f"none is for {circuit.source} ({circuit.num_qubits} qubits) on {point.label}; add one, or "
                        '"auto" to have one chosen',
                    )


def _digest(path: Path) -> str:
    """SHA-256 of a circuit file's content and of the files that it includes."""
    seen: set[Path] = set()
    total = hashlib.sha256()

    def take(file: Path) -> None:
        if file in seen or not file.is_file():  # qelib1.inc and the like are the importer's own
            return
        seen.add(file)
        content = file.read_bytes()
        total.update(hashlib.sha256(content).digest())
        if file.suffix.lower() != ".qpy":
            for name in _INCLUDE.findall(content.decode(errors="replace")):
                take(file.parent / name)

    take(path)
    return total.hexdigest()
