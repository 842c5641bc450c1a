"""``equinoise diagnose``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equinoise.diagnosis.diagnose import Diagnosis
    from equinoise.problem.noise import NoiseModel

__all__ = ["diagnose"]

_WIDEST = 100

_PROBLEM = "Problem"
_SAMPLING = "Simulation"
_OUTPUT = "Output"


def diagnose(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="The circuit: an OpenQASM 2 or 3 file (.qasm), a QPY file (.qpy), or brickwork:n=12,depth=6 "
            "(options: periodic, interaction=rzz|cphase|none, phase, shared).",
            show_default=False,
        ),
    ],
    readout: Annotated[
        str,
        typer.Option(
            metavar="LABEL",
            help="What is measured: Pauli letters with qubit indices, e.g. Z5, X2X3+Y2Y3, 0.5*Z0Z1-Z2.",
            show_default=False,
            rich_help_panel=_PROBLEM,
        ),
    ],
    noise: Annotated[
        list[str],
        typer.Option(
            metavar="SPEC",
            help="The noise: dephasing:RATE, collective:RATE, relaxation:down=RATE,up=RATE, depolarizing:RATE (rates "
            "per slot), ibm:NAME (a device snapshot), none, or a TOML or JSON file; several joined by + or given "
            "one by one act together.",
            show_default=False,
            rich_help_panel=_PROBLEM,
        ),
    ],
    initial: Annotated[
        str | None,
        typer.Option(
            metavar="STATE",
            help="The input: neel (even qubits in |1>) or a bitstring with qubit 0 rightmost.",
            show_default="what the circuit's own leading gates prepare, neel if there are none",
            rich_help_panel=_PROBLEM,
        ),
    ] = None,
    charge: Annotated[
        int | None,
        typer.Option(
            metavar="Q",
            help="The active charge sector, 0..n.",
            show_default="the charge of the input",
            rich_help_panel=_PROBLEM,
        ),
    ] = None,
    projected: Annotated[
        bool,
        typer.Option("--projected", help="Project the readout on the active sector.", rich_help_panel=_PROBLEM),
    ] = False,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="Q0,Q1,..",
            help="With ibm:NAME: the physical qubit of each circuit qubit.",
            show_default="chosen by Qiskit",
            rich_help_panel=_PROBLEM,
        ),
    ] = None,
    free_angles: Annotated[
        bool,
        typer.Option(
            "--free-angles",
            help="Make each bound rotation angle a parameter of its own.",
            rich_help_panel=_PROBLEM,
        ),
    ] = False,
    allow_broken: Annotated[
        bool,
        typer.Option(
            "--allow-broken",
            help="Where gates or readout break the charge, compute in the full space of the light cone.",
            rich_help_panel=_PROBLEM,
        ),
    ] = False,
    scale: Annotated[
        float,
        typer.Option(metavar="S", help="Noise scale of the verdict; 1 is the stated noise.", rich_help_panel=_SAMPLING),
    ] = 1.0,
    samples: Annotated[
        int, typer.Option(metavar="N", help="Draws of the parameters.", rich_help_panel=_SAMPLING)
    ] = 128,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Of the draws; the same numbers whatever the number of workers.",
            rich_help_panel=_SAMPLING,
        ),
    ] = 0,
    shots: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Shots per expectation value; the verdict asks whether the RMS gradient is resolved with them.",
            rich_help_panel=_SAMPLING,
        ),
    ] = 10_000,
    ensemble: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How parameters are drawn: uniform over each one's period, or normal:WIDTH in radians.",
            rich_help_panel=_SAMPLING,
        ),
    ] = "uniform",
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="auto, or an engine's name: exact.", rich_help_panel=_SAMPLING)
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Draws run at once.",
            show_default="one per processor, fewer if memory is short",
            rich_help_panel=_SAMPLING,
        ),
    ] = None,
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Write every number as JSON; '-' prints JSON alone, without the report.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    csv_file: Annotated[
        str | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write kappa's budget: layer, qubits, mechanism, kappa.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    plot_file: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw survival against noise scale, and the budget by qubit and layer (.png, .pdf or .svg).",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
) -> None:
    """Does the gradient of a circuit survive its noise, why, and what would help most?"""
    import sys

    from rich.console import Console

    from equinoise.cli.progress import Waiting
    from equinoise.report.files import check_target, write_whole

    if json_file not in (None, "-"):
        check_target(json_file, "--json")
    if csv_file is not None:
        check_target(csv_file, "--csv")
    if plot_file is not None:
        from equinoise.report.figures import check_figure

        check_figure(plot_file)
        check_target(plot_file, "--plot")

    with Waiting("preparing") as waiting:
        import equinoise as eq
        from equinoise.errors import ParameterError

        circuit = eq.load_circuit(source)
        if free_angles:
            circuit = eq.free_angles(circuit)
        if not circuit.parameters:
            raise ParameterError(
                f"the circuit {source!r} has no parameters, so that it has no gradient. "
                + (
                    "It has no bound rotation angles either."
                    if free_angles
                    else "--free-angles makes each bound rotation angle a parameter."
                )
            )
        problem = eq.Problem(
            circuit,
            readout,
            initial=initial,
            noise=_noise(noise, layout),
            projected=projected,
            charge=charge,
            allow_broken=allow_broken,
        )
        diagnosis = eq.diagnose(
            problem,
            samples=samples,
            seed=seed,
            scale=scale,
            shots=shots,
            ensemble=ensemble,
            engine=engine,
            workers=workers,
            progress=waiting,
        )

    if json_file is not None:
        text = _json(diagnosis)
        if json_file == "-":
            sys.stdout.write(text)
        else:
            write_whole(json_file, text)
    if csv_file is not None:
        write_whole(csv_file, _csv(diagnosis))
    if plot_file is not None:
        from equinoise.report.figures import plot_diagnosis

        plot_diagnosis(diagnosis, plot_file)
    if json_file != "-":
        from equinoise.report.tables import print_diagnosis

        console = Console()
        console.width = min(console.width, _WIDEST)
        print_diagnosis(diagnosis, console, source)


def _noise(specifications: list[str], layout: str | None) -> NoiseModel:
    """The models of all specifications acting together, a device on the layout that was given."""
    from dataclasses import replace
    from functools import reduce
    from pathlib import Path

    from equinoise.errors import DeviceError
    from equinoise.problem.devices import snapshot
    from equinoise.problem.noise import NoiseModel

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

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise DeviceError(
            f"--layout must list physical qubits separated by commas, e.g. 0,1,2; got {text!r}."
        ) from None


def _json(diagnosis: Diagnosis) -> str:
    import json

    return json.dumps(diagnosis.to_dict(), indent=2, allow_nan=False) + "\n"


def _csv(diagnosis: Diagnosis) -> str:
    import csv
    import io

    from equinoise.report.tables import budget_rows

    rows = budget_rows(diagnosis)
    text = io.StringIO(newline="")
    names = ("layer", "qubits", "mechanism", "kappa", "standard_error", "share")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
