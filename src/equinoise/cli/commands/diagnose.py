"""``equinoise diagnose``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from equinoise.cli.json_output import JsonFile, checked, output
from equinoise.cli.option_groups import grouped
from equinoise.cli.problem_options import ProblemOptions
from equinoise.cli.sampling_options import SamplingOptions, Scale, simulation
from equinoise.cli.terminal import Terminal

if TYPE_CHECKING:
    from equinoise.cli.progress import Waiting
    from equinoise.diagnosis.beyond.extrapolation import Extrapolation
    from equinoise.diagnosis.diagnose import Diagnosis
    from equinoise.sampling import Sampling

__all__ = ["diagnose"]

_WIDEST = 100


@grouped
def diagnose(
    problem: ProblemOptions,
    sampling: SamplingOptions,
    scale: Scale = 1.0,
    shots: Annotated[int, simulation(metavar="N", help="Per expectation value.")] = 10_000,
    relative_error: Annotated[
        float | None,
        simulation(metavar="E", help="Of kappa, at which drawing stops."),
    ] = None,
    no_advice: Annotated[
        bool,
        simulation("--no-advice", help="Do not look for what would help most."),
    ] = False,
    json_file: JsonFile = None,
    csv_file: Annotated[str | None, output("--csv", metavar="FILE", help="Write kappa's budget.")] = None,
    plot_file: Annotated[
        str | None, output("--plot", metavar="FILE", help="Draw survival and budget (.png, .pdf or .svg).")
    ] = None,
    html_file: Annotated[
        str | None, output("--html", metavar="FILE", help="Write all of it as one page for any browser.")
    ] = None,
) -> None:
    """Does a circuit's gradient survive its noise, why, and what would help most?"""
    import sys

    from equinoise.cli.progress import Waiting
    from equinoise.report.files import check_target, write_whole

    checked(json_file)
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
        from equinoise.diagnosis.beyond.extrapolation import no_engine_fits
        from equinoise.errors import ParameterError

        stated = problem.problem()
        if not stated.parameters:
            raise ParameterError(
                f"the circuit {problem.source!r} has no parameters, so that it has no gradient. "
                + (
                    "It has no bound rotation angles either."
                    if problem.free_angles
                    else "--free-angles makes each bound rotation angle a parameter."
                )
            )
        asked = sampling.sampling()
        beyond = asked.engine == "auto" and no_engine_fits(stated)
        if beyond:
            deep = eq.extrapolate(stated, scale, shots=shots, sampling=asked, progress=waiting)
        else:
            diagnosis = eq.diagnose(
                stated, scale, shots=shots, sampling=asked, relative_error=relative_error, progress=waiting
            )
        if not (no_advice or beyond):
            diagnosis = _advised(diagnosis, replace(asked, samples=None, engine="auto"), waiting)

    if beyond:
        _print_extrapolation(deep, json_file, [csv_file, plot_file, html_file])
        return
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

        write_diagnosis_page(diagnosis, html_file, problem.source, command_line())
    if json_file != "-":
        from equinoise.report.terminal.diagnosis_table import print_diagnosis

        console = Terminal()
        console.width = min(console.width, _WIDEST)
        print_diagnosis(diagnosis.record, console, problem.source)


def _print_extrapolation(found: Extrapolation, json_file: str | None, others: Sequence[str | None]) -> None:
    """What is said where no engine fits: a few lines, and the record."""
    import sys

    from equinoise.report.files import write_whole

    if json_file == "-":
        sys.stdout.write(_json(found))
        return
    if json_file is not None:
        write_whole(json_file, _json(found))
    terminal = Terminal()
    terminal.print(str(found), highlight=False, markup=False)
    if any(others):
        terminal.print("  note      extrapolated: no budget, curve or page was written", highlight=False, markup=False)


def _advised(diagnosis: Diagnosis, sampling: Sampling, waiting: Waiting) -> Diagnosis:
    """With what would help most; without it the diagnosis stands, and says why."""
    import equinoise as eq
    from equinoise.errors import EquinoiseError

    try:
        found = eq.advise(diagnosis.problem, diagnosis.scale, sampling=sampling, progress=waiting)
    except EquinoiseError as error:
        return replace(diagnosis, warnings=(*diagnosis.warnings, f"no advice beyond kappa's budget: {error}"))
    return diagnosis.with_advice(found)


def _json(diagnosis: Diagnosis | Extrapolation) -> str:
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
