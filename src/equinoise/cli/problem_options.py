"""The options that state a problem, shared by the commands that take one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from equinoise.cli.option_groups import panel

if TYPE_CHECKING:
    from equinoise.noise.model import NoiseModel
    from equinoise.problem import Problem

__all__ = ["FreeAngles", "Initial", "Layout", "Noise", "ProblemOptions", "Readout", "Source", "stated_noise"]

_problem = panel("Problem")

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A .qasm or .qpy file, brickwork:n=12,depth=6 (ladder, ring, all-to-all) or device:torino,depth=6.",
        show_default=False,
    ),
]
Readout = Annotated[str, _problem(metavar="LABEL", help="What is measured: Z5, X2X3+Y2Y3.")]
Noise = Annotated[
    list[str],
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
    readout: Readout
    noise: Noise
    initial: Initial = None
    charge: Annotated[int | None, _problem(metavar="Q", help="Active sector.", show_default="the input's")] = None
    projected: Annotated[bool, _problem("--projected", help="Project the readout on that sector.")] = False
    layout: Layout = None
    free_angles: FreeAngles = False
    allow_broken: Annotated[bool, _problem("--allow-broken", help="Where symmetry breaks take the full space.")] = False
    symmetry: Annotated[
        str,
        _problem(metavar="NAME", help="E.g. permutation, su2 or parity."),
    ] = "charge"

    def problem(self) -> Problem:
        """The problem that the options state."""
        import equinoise as eq

        circuit = eq.load_circuit(self.source)
        return eq.Problem(
            eq.free_angles(circuit) if self.free_angles else circuit,
            self.readout,
            initial=self.initial,
            noise=stated_noise(self.noise, self.layout),
            projected=self.projected,
            charge=self.charge,
            allow_broken=self.allow_broken,
            symmetry=self.symmetry,
        )


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
