"""``equinoise diagnose``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equinoise.cli.failures import INTERRUPTED
from equinoise.cli.json_output import JsonFile, checked, output
from equinoise.cli.model_diagnosis import ModelAnswer, answer_of_model
from equinoise.cli.model_options import ModelOptions
from equinoise.cli.option_groups import grouped
from equinoise.cli.problem_options import ProblemOptions
from equinoise.cli.sampling_options import SamplingOptions, Scale, simulation
from equinoise.cli.terminal import Terminal

if TYPE_CHECKING:
    from equinoise.cli.progress import Waiting
    from equinoise.diagnosis.beyond.extrapolation import Extrapolation
    from equinoise.diagnosis.diagnose import Diagnosis
    from equinoise.problem import Problem
    from equinoise.sampling import Sampling

__all__ = ["diagnose"]

_WIDEST = 100


@grouped
def diagnose(
    problem: ProblemOptions,
    model: ModelOptions,
    sampling: SamplingOptions,
    scale: Scale = 1.0,
    shots: Annotated[int, simulation(metavar="N", help="Per expectation value.")] = 10_000,
    relative_error: Annotated[
        float | None,
        simulation(metavar="E", help="Of kappa, at which drawing stops."),
    ] = None,
    precision: Annotated[
        float | None,
        simulation(metavar="P", help="Of the survival, as a share.", show_default="0.02"),
    ] = None,
    seconds: Annotated[
        float | None,
        simulation(metavar="T", help="Most time of the draws.", show_default="15"),
    ] = None,
    advice: Annotated[
        bool,
        simulation("--advice", help="Simulate what would help, as advise does."),
    ] = False,
    full: Annotated[bool, output("--full", help="Print all details below the first screen.")] = False,
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
    from equinoise.cli.progress import Waiting

    checked(json_file)
    targets = _Targets(json_file, csv_file, plot_file, html_file)
    targets.check()
    with Waiting("preparing") as waiting:
        import equinoise as eq
        from equinoise.diagnosis.beyond.extrapolation import no_engine_fits

        deep: Extrapolation | None = None
        stated, asked = problem.stated(model), sampling.sampling()
        if isinstance(stated, eq.Model):
            _check_of_model({"relative-error": relative_error, "precision": precision, "seconds": seconds}, plot_file)
            about = ModelAnswer(problem.source, answer_of_model(stated, model, scale, shots, asked, waiting))
        else:
            _check_parameters(stated, problem)
            asked = replace(asked, precision=precision, seconds=seconds)
            options = {"shots": shots, "relative_error": relative_error}
            if asked.engine == "auto" and no_engine_fits(stated):
                deep = eq.extrapolate(stated, scale, shots=shots, sampling=asked, progress=waiting)
            else:
                diagnosis, interrupted = _answered(stated, scale, asked, options, advice, waiting)

    if isinstance(stated, eq.Model):
        about.write(json_file, csv_file, html_file)
        return
    if deep is not None:
        _print_extrapolation(deep, json_file, [csv_file, plot_file, html_file])
        return
    targets.write(diagnosis, problem.source)
    if json_file != "-":
        from equinoise.report.terminal.diagnosis_table import print_diagnosis, print_first_screen

        console = Terminal()
        console.width = min(console.width, _WIDEST)
        print_first_screen(diagnosis.record, console, problem.source)
        if full:
            console.print()
            print_diagnosis(diagnosis.record, console, problem.source)
    if interrupted:
        raise typer.Exit(INTERRUPTED)


@dataclass(frozen=True)
class _Targets:
    """The files that a diagnosis is written to; None for those not asked for, "-" for standard output."""

    json_file: str | None
    csv_file: str | None
    plot_file: str | None
    html_file: str | None

    def check(self) -> None:
        """Before anything is computed."""
        from equinoise.report.files import check_target

        for option, path in (("--csv", self.csv_file), ("--html", self.html_file)):
            if path is not None:
                check_target(path, option)
        if self.plot_file is not None:
            from equinoise.report.figures import check_figure

            check_figure(self.plot_file)
            check_target(self.plot_file, "--plot")

    def write(self, diagnosis: Diagnosis, source: str) -> None:
        """Writes them all."""
        from equinoise.report.files import write_whole

        if self.json_file == "-":
            sys.stdout.write(_json(diagnosis))
        elif self.json_file is not None:
            write_whole(self.json_file, _json(diagnosis))
        if self.csv_file is not None:
            write_whole(self.csv_file, _csv(diagnosis))
        if self.plot_file is not None:
            from equinoise.report.figures import plot_diagnosis

            plot_diagnosis(diagnosis, self.plot_file)
        if self.html_file is not None:
            from equinoise.cli.commands.report import command_line
            from equinoise.report.page.html import write_diagnosis_page

            write_diagnosis_page(diagnosis, self.html_file, source, command_line())


def _answered(
    stated: Problem, scale: float, asked: Sampling, options: dict[str, Any], advice: bool, waiting: Waiting
) -> tuple[Diagnosis, bool]:
    """The diagnosis, advised if that is wanted, and whether Ctrl-C ended the draws."""
    import equinoise as eq
    from equinoise.diagnosis.diagnose import Interrupted

    try:
        diagnosis = eq.diagnose(stated, scale, sampling=asked, progress=waiting, **options)
    except Interrupted as stop:
        return stop.diagnosis, True
    if advice:
        others = replace(asked, samples=None, engine="auto", precision=None, seconds=None)
        diagnosis = _advised(diagnosis, others, waiting)
    return diagnosis, False


def _check_parameters(stated: Problem, problem: ProblemOptions) -> None:
    """Refuses a circuit without parameters."""
    from equinoise.errors import ParameterError

    if not stated.parameters:
        raise ParameterError(
            f"the circuit {problem.source!r} has no parameters, so that it has no gradient. "
            + (
                "It has no bound rotation angles either."
                if problem.free_angles
                else "--free-angles makes each bound rotation angle a parameter."
            )
        )


def _check_of_model(stopping: dict[str, float | None], plot_file: str | None) -> None:
    """Refuses what the diagnosis of a model does not have."""
    from equinoise.errors import UnsupportedError

    stated = next((name for name, value in stopping.items() if value is not None), None)
    if stated is not None:
        raise UnsupportedError(f"--{stated} stops the draws of a circuit; for a model state --samples.")
    if plot_file is not None:
        raise UnsupportedError("--plot draws the survival of a circuit; for a model write --html or --json.")


def _print_extrapolation(found: Extrapolation, json_file: str | None, others: Sequence[str | None]) -> None:
    """What is said where no engine fits: a few lines, and the record."""
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
