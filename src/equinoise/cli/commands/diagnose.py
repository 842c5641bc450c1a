"""``equinoise diagnose``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from equinoise.cli.problem_options import (
    AllowBroken,
    Charge,
    FreeAngles,
    Initial,
    Layout,
    Noise,
    Projected,
    Readout,
    Source,
    SymmetryName,
    stated_problem,
)
from equinoise.cli.sampling import EnsembleName, Seed, Workers
from equinoise.cli.terminal import Terminal

if TYPE_CHECKING:
    from equinoise.diagnosis.diagnose import Diagnosis

__all__ = ["diagnose"]

_WIDEST = 100

_SAMPLING = "Simulation"
_OUTPUT = "Output"


_Scale = Annotated[
    float,
    typer.Option(metavar="S", help="Noise scale of the verdict; 1 is the stated noise.", rich_help_panel=_SAMPLING),
]
_Samples = Annotated[int, typer.Option(metavar="N", help="Draws of the parameters.", rich_help_panel=_SAMPLING)]
_Shots = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Shots per expectation value; the verdict asks whether the RMS gradient is resolved with them.",
        rich_help_panel=_SAMPLING,
    ),
]
_Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="auto, or an engine's name: exact, free-fermion, permutation, ... (see equinoise engines).",
        rich_help_panel=_SAMPLING,
    ),
]
_RelativeError = Annotated[
    float | None,
    typer.Option(
        metavar="E",
        help="Stop drawing when kappa's standard error is at most this share of kappa, e.g. 0.05.",
        show_default="all samples are drawn",
        rich_help_panel=_SAMPLING,
    ),
]
_Advice = Annotated[
    bool,
    typer.Option(
        "--advice/--no-advice",
        help="Look for what would help most, as equinoise advise does; the verdict cites the first.",
        rich_help_panel=_SAMPLING,
    ),
]
_JsonFile = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write every number as JSON; '-' prints JSON alone, without the report.",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]
_CsvFile = Annotated[
    str | None,
    typer.Option(
        "--csv",
        metavar="FILE",
        help="Write kappa's budget: layer, qubits, mechanism, kappa.",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]
_PlotFile = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw survival against noise scale, and the budget by qubit and layer (.png, .pdf or .svg).",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]
_HtmlFile = Annotated[
    str | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write one page that opens in any browser, offline: law, bounds, budget on the device, provenance.",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]


def diagnose(
    source: Source,
    readout: Readout,
    noise: Noise,
    initial: Initial = None,
    charge: Charge = None,
    projected: Projected = False,
    layout: Layout = None,
    free_angles: FreeAngles = False,
    allow_broken: AllowBroken = False,
    symmetry: SymmetryName = "charge",
    scale: _Scale = 1.0,
    samples: _Samples = 128,
    seed: Seed = 0,
    shots: _Shots = 10_000,
    ensemble: EnsembleName = "uniform",
    engine: _Engine = "auto",
    relative_error: _RelativeError = None,
    advice: _Advice = True,
    workers: Workers = None,
    json_file: _JsonFile = None,
    csv_file: _CsvFile = None,
    plot_file: _PlotFile = None,
    html_file: _HtmlFile = None,
) -> None:
    """Does the gradient of a circuit survive its noise, why, and what would help most?"""
    import sys

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
    if html_file is not None:
        check_target(html_file, "--html")

    with Waiting("preparing") as waiting:
        import equinoise as eq
        from equinoise.errors import ParameterError

        problem = stated_problem(
            source, readout, noise, initial, charge, projected, layout, free_angles, allow_broken, symmetry
        )
        if not problem.parameters:
            raise ParameterError(
                f"the circuit {source!r} has no parameters, so that it has no gradient. "
                + (
                    "It has no bound rotation angles either."
                    if free_angles
                    else "--free-angles makes each bound rotation angle a parameter."
                )
            )
        diagnosis = eq.diagnose(
            problem,
            samples=samples,
            seed=seed,
            scale=scale,
            shots=shots,
            ensemble=ensemble,
            engine=engine,
            relative_error=relative_error,
            workers=workers,
            advisor=eq.advise if advice else None,
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
    if html_file is not None:
        from equinoise.cli.commands.report import command_line
        from equinoise.report.page.html import write_diagnosis_page

        write_diagnosis_page(diagnosis, html_file, source, command_line())
    if json_file != "-":
        from equinoise.report.terminal.diagnosis_table import print_diagnosis

        console = Terminal()
        console.width = min(console.width, _WIDEST)
        print_diagnosis(diagnosis.record, console, source)


def _json(diagnosis: Diagnosis) -> str:
    import json

    return json.dumps(diagnosis.to_dict(), indent=2, allow_nan=False) + "\n"


def _csv(diagnosis: Diagnosis) -> str:
    import csv
    import io

    from equinoise.report.terminal.diagnosis_table import budget_shares

    rows = budget_shares(diagnosis.record)
    text = io.StringIO(newline="")
    names = ("layer", "qubits", "mechanism", "kappa", "standard_error", "share")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
