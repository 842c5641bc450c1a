"""The options that state a problem, shared by the commands that take one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equinoise.cli.option_groups import panel

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from equinoise.cli.model_options import ModelOptions
    from equinoise.model.qnn import Model
    from equinoise.noise.model import NoiseModel
    from equinoise.problem import Problem

__all__ = ["FreeAngles", "Initial", "Layout", "Noise", "ProblemOptions", "Readout", "Source", "stated_noise"]

_problem = panel("Problem")

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A .qasm or .qpy file, brickwork:n=12,depth=6 (ladder, ring, all-to-all), device:torino,depth=6 or "
        "module.py:object, which runs that module.",
        show_default=False,
    ),
]
Readout = Annotated[list[str] | None, _problem(metavar="LABEL", help="Z5 or X2X3+Y2Y3; repeated for a model.")]
Noise = Annotated[
    list[str] | None,
    _problem(
        metavar="SPEC",
        help="Rates per slot: dephasing:R, collective:R, static:R, depolarizing:R, relaxation:down=R,up=R; ibm:NAME, "
        "none, a file; joined by + or repeated.",
    ),
]
Initial = Annotated[str | None, _problem(metavar="STATE", help="neel or bits; else the circuit's own.")]
Layout = Annotated[str | None, _problem(metavar="QUBITS", help="Physical ones for ibm:NAME, e.g. 4,5,6.")]
FreeAngles = Annotated[bool, _problem("--free-angles", help="Make each bound angle a parameter.")]


@dataclass(frozen=True)
class ProblemOptions:
    """What states a problem on the command line; named as in :class:`equinoise.Problem`."""

    source: Source
    readout: Readout = None
    noise: Noise = None
    initial: Initial = None
    charge: Annotated[int | None, _problem(metavar="Q", help="Active sector.", show_default="the input's")] = None
    projected: Annotated[bool, _problem("--projected", help="Project the readout on that sector.")] = False
    layout: Layout = None
    free_angles: FreeAngles = False
    allow_broken: Annotated[bool, _problem("--allow-broken", help="Where symmetry breaks take the full space.")] = False
    symmetry: Annotated[
        str,
        _problem(metavar="NAME", help="permutation, su2, parity, ..."),
    ] = "charge"

    def stated(self, model: ModelOptions) -> Problem | Model:
        """The problem or model that the options state: a model where one of its options or several readouts are given.

        Args:
            model: What is stated of a model.
        """
        from qiskit import QuantumCircuit

        import equinoise as eq
        from equinoise.cli.as_model import as_model
        from equinoise.errors import ParameterError

        found, told, of_model = self._found(), self._told(), model.told()
        if isinstance(found, eq.Problem):
            if told or of_model:
                raise ParameterError(
                    f"{self.source!r} is a Problem, which states its own {next(iter(told | of_model))}: leave the "
                    "options that state a problem or a model out."
                )
            return found
        if isinstance(found, QuantumCircuit) and not of_model and len(self.readout or ()) < 2:
            return self._problem(found, told)
        return as_model(found, told | of_model)

    def _found(self) -> Any:
        """The circuit, or the user's object."""
        import equinoise as eq
        from equinoise.cli.python_object import is_python_object, python_object

        found = python_object(self.source) if is_python_object(self.source) else eq.load_circuit(self.source)
        return eq.free_angles(found) if self.free_angles else found

    def _told(self) -> dict[str, Any]:
        """What was given of the problem, as :class:`equinoise.Model` takes it."""
        told: dict[str, Any] = {
            name: value
            for name, value in (
                ("readouts", self.readout),
                ("initial", self.initial),
                ("charge", self.charge),
                ("projected", self.projected or None),
                ("allow_broken", self.allow_broken or None),
                ("symmetry", None if self.symmetry == "charge" else self.symmetry),
            )
            if value not in (None, [])
        }
        if self.noise or self.layout is not None:
            told["noise"] = stated_noise(self.noise or [], self.layout)
        return told

    def _problem(self, circuit: QuantumCircuit, told: dict[str, Any]) -> Problem:
        import equinoise as eq
        from equinoise.errors import ParameterError, SymmetryError

        for name, wanted in (("readout", "readouts"), ("noise", "noise")):
            if wanted not in told:
                raise ParameterError(f"the option --{name} is missing: a circuit needs one. {_MISSING[name]}")
        (readout,) = told.pop("readouts")
        try:
            return eq.Problem(circuit, readout, **told)
        except SymmetryError as error:
            if self.free_angles and _keeps_when_bound(eq.load_circuit(self.source), readout, told):
                raise SymmetryError(
                    f"the circuit keeps the {self.symmetry} at its bound angles, but not where each of them is free "
                    "(--free-angles): some belong together, as 0.3 and -0.3 about a CX that write one gate out. Give a "
                    f"circuit whose parameters say so (OpenQASM 3 with inputs, or QPY). {error}"
                ) from None
            raise


def _keeps_when_bound(circuit: QuantumCircuit, readout: str, told: dict[str, Any]) -> bool:
    """Whether a circuit keeps the symmetry before its angles are freed, and not for taking all as a preparation."""
    import equinoise as eq
    from equinoise.errors import SymmetryError

    try:
        return eq.Problem(circuit, readout, **told).preparation is None
    except SymmetryError:
        return False


_MISSING = {
    "readout": "What is measured, e.g. --readout Z0.",
    "noise": "Rates per slot, e.g. --noise dephasing:0.01, a device, or none.",
}


def stated_noise(specifications: list[str], layout: str | None) -> NoiseModel:
    """The models of all specifications acting together, a device on the layout that was given."""
    from dataclasses import replace
    from functools import reduce
    from pathlib import Path

    from equinoise.device.snapshots import snapshot
    from equinoise.errors import DeviceError
    from equinoise.noise.model import NoiseModel

    physical = None if layout is None else _layout(layout)
    models = []
    placed = False
    for specification in specifications:
        text = specification.strip()
        file = Path(text).suffix.lower() in (".toml", ".json")
        parts = [text] if file or physical is None else [part.strip() for part in text.split("+")]
        for part in parts:
            if physical is not None and part.startswith("ibm:"):
                placed = True
                models.append(replace(NoiseModel.from_backend(snapshot(part), physical), name=part))
            else:
                models.append(NoiseModel.from_string(part))
    if physical is not None and not placed:
        raise DeviceError("--layout places a circuit on a device; give one with --noise ibm:NAME, or leave it out.")
    return reduce(NoiseModel.combined, models)


def _layout(text: str) -> list[int]:
    from equinoise.errors import DeviceError
    from equinoise.limits import whole_number

    qubits = [whole_number(part.strip()) for part in text.split(",")]
    known = [qubit for qubit in qubits if qubit is not None]
    if len(known) < len(qubits):
        raise DeviceError(f"--layout must list physical qubits separated by commas, e.g. 0,1,2; got {text!r}.")
    return known
