"""The options that state a problem, shared by the commands that take one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equinoise.noise.model import NoiseModel
    from equinoise.problem import Problem

__all__ = [
    "AllowBroken",
    "Charge",
    "FreeAngles",
    "Initial",
    "Layout",
    "Noise",
    "Projected",
    "Readout",
    "Source",
    "SymmetryName",
    "stated_noise",
    "stated_problem",
]

_PROBLEM = "Problem"

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="The circuit: an OpenQASM 2 or 3 file (.qasm), a QPY file (.qpy), brickwork:n=12,depth=6 "
        "(likewise ladder, ring, all-to-all), or device:torino,depth=6 on a device's couplers (options: "
        "interaction=rzz|cphase|none, phase, shared; for brickwork also periodic).",
        show_default=False,
    ),
]
Readout = Annotated[
    str,
    typer.Option(
        metavar="LABEL",
        help="What is measured: Pauli letters with qubit indices, e.g. Z5, X2X3+Y2Y3, 0.5*Z0Z1-Z2.",
        show_default=False,
        rich_help_panel=_PROBLEM,
    ),
]
Noise = Annotated[
    list[str],
    typer.Option(
        metavar="SPEC",
        help="The noise: dephasing:RATE, static:RATE (quasi-static), collective:RATE, relaxation:down=RATE,up=RATE, "
        "depolarizing:RATE (rates "
        "per slot), ibm:NAME (a device snapshot), none, or a TOML or JSON file; several joined by + or given "
        "one by one act together.",
        show_default=False,
        rich_help_panel=_PROBLEM,
    ),
]
Initial = Annotated[
    str | None,
    typer.Option(
        metavar="STATE",
        help="The input: neel (even qubits in |1>) or a bitstring with qubit 0 rightmost.",
        show_default="what the circuit's own leading gates prepare, neel if there are none",
        rich_help_panel=_PROBLEM,
    ),
]
Charge = Annotated[
    int | None,
    typer.Option(
        metavar="Q",
        help="The active charge sector, 0..n.",
        show_default="the charge of the input",
        rich_help_panel=_PROBLEM,
    ),
]
Projected = Annotated[
    bool,
    typer.Option("--projected", help="Project the readout on the active sector.", rich_help_panel=_PROBLEM),
]
Layout = Annotated[
    str | None,
    typer.Option(
        metavar="Q0,Q1,..",
        help="With ibm:NAME: the physical qubit of each circuit qubit.",
        show_default="chosen by Qiskit",
        rich_help_panel=_PROBLEM,
    ),
]
FreeAngles = Annotated[
    bool,
    typer.Option(
        "--free-angles",
        help="Make each bound rotation angle a parameter of its own.",
        rich_help_panel=_PROBLEM,
    ),
]
AllowBroken = Annotated[
    bool,
    typer.Option(
        "--allow-broken",
        help="Where gates or readout break the symmetry, compute in the full space of the light cone.",
        rich_help_panel=_PROBLEM,
    ),
]

SymmetryName = Annotated[
    str,
    typer.Option(
        "--symmetry",
        metavar="NAME",
        help="What the circuit keeps: charge, charges:0-3|4-7, parity (or parity:X), permutation (of blocks: "
        "permutation:0-3|4-7), su2, translation, reflection, a permutation in cycles '(0 1)(2 3)', a Pauli string "
        "X0X1Z2, or several joined by *. equinoise symmetries finds those that a circuit has.",
        rich_help_panel=_PROBLEM,
    ),
]


def stated_problem(
    source: str,
    readout: str,
    noise: list[str],
    initial: str | None,
    charge: int | None,
    projected: bool,
    layout: str | None,
    free_angles: bool,
    allow_broken: bool,
    symmetry: str = "charge",
) -> Problem:
    """The problem that the options state."""
    import equinoise as eq

    circuit = eq.load_circuit(source)
    if free_angles:
        circuit = eq.free_angles(circuit)
    return eq.Problem(
        circuit,
        readout,
        initial=initial,
        noise=stated_noise(noise, layout),
        projected=projected,
        charge=charge,
        allow_broken=allow_broken,
        symmetry=symmetry,
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
