"""``equinoise sweep``."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from equinoise.cli.failures import FAILED, INTERRUPTED
from equinoise.cli.sampling_options import Workers
from equinoise.cli.terminal import Terminal, complain, say

if TYPE_CHECKING:
    from equinoise.sweeps.sweep import SweepPlan, SweepProgress, SweepSummary, TLSFiles

__all__ = ["sweep"]

_PATIENCE = 2.0
_SHOWN = 5


def sweep(
    study: Annotated[
        str, typer.Argument(metavar="STUDY.toml", help="The grid: circuits, readouts, noise, ...", show_default=False)
    ],
    store: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="DuckDB file of the results; made, or gone on with if it exists.", show_default=False
        ),
    ],
    workers: Workers = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A running Dask scheduler to use instead, e.g. tls://10.0.0.1:8786.",
            show_default="a cluster on this machine",
        ),
    ] = None,
    tls_ca: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="For --scheduler: the authority's certificate (PEM).", show_default=False),
    ] = None,
    tls_cert: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="For --scheduler: this client's certificate (PEM).", show_default=False),
    ] = None,
    tls_key: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="For --scheduler: the key of that certificate (PEM).", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many tasks there are and about how long they take.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run again what failed before.")] = False,
    export: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Afterwards write the results as .parquet or .csv, and budget and curve beside them; "
            "may be given several times.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Diagnose every point of a grid of circuits, readouts and noise, and keep the results in a file.

    A second run does only what is missing; Ctrl-C, a crash or a kill loses nothing that was finished. Exit status 1
    says that tasks failed: their errors are in the results.
    """
    from equinoise.report.files import check_target
    from equinoise.sweeps.store import Store
    from equinoise.sweeps.study_file import StudyFileError, load_study
    from equinoise.sweeps.sweep import plan
    from equinoise.sweeps.sweep import sweep as run

    tls = _tls_files(tls_ca, tls_cert, tls_key)
    check_target(store, "--store")
    for file in export or []:
        Store.check_export(file)
    try:
        grid = load_study(study)
    except StudyFileError as error:  # one mistake a line
        for line in f"error: {error}".splitlines():
            complain(line)
        raise typer.Exit(FAILED) from None
    if dry_run:
        _print_plan(plan(grid, store, workers=workers, retry_failed=retry_failed), store)
        return
    try:
        with _Bar() as bar:
            summary = run(
                grid, store, workers=workers, scheduler=scheduler, tls=tls, retry_failed=retry_failed, progress=bar.show
            )
    except KeyboardInterrupt:
        complain(
            f"interrupted: {bar.done} of {bar.total or 'the'} tasks of this run are in {store}; run the same command "
            "again to do the rest."
        )
        raise typer.Exit(INTERRUPTED) from None
    for file in export or []:
        for written in Store(store).export(file):
            say(f"wrote {written}")
    _print_summary(summary, store)
    if summary.failed:
        _print_failures(store, summary)
        raise typer.Exit(1)


def _tls_files(ca: str | None, cert: str | None, key: str | None) -> TLSFiles | None:
    from equinoise.sweeps.sweep import SweepError, TLSFiles

    if ca is None and cert is None and key is None:
        return None
    if ca is None or cert is None or key is None:
        raise SweepError("TLS takes three files: give all of --tls-ca, --tls-cert and --tls-key, or none.")
    return TLSFiles(ca, cert, key)


def _print_plan(found: SweepPlan, store: str) -> None:
    say(f"{found.study}: {found.total} tasks, {found.done} done and {found.failed} failed in {store}")
    width = max(len(family) for family in found.families)
    for family, (total, done, failed) in found.families.items():
        say(f"  {family:<{width}}  {total:>6} tasks  {done:>6} done  {failed:>6} failed")
    left = "" if not found.unknown else f", leaving out {found.unknown} that no engine can serve"
    say(
        f"{found.missing} to run: about {_duration(found.seconds)} on {found.workers} workers by the engines' "
        f"declarations{left}"
    )


def _print_summary(summary: SweepSummary, store: str) -> None:
    rate = "" if not summary.done else f" ({summary.done / max(summary.seconds, 1e-9):.3g} tasks/s)"
    say(
        f"{summary.study}: {summary.total} tasks, {summary.done} run now in {_duration(summary.seconds)}{rate}, "
        f"{summary.before} before, {summary.failed} failed; results in {store}"
    )


def _print_failures(store: str, summary: SweepSummary) -> None:
    """The different errors, most frequent first."""
    from collections import Counter

    from equinoise.sweeps.store import Store

    rows = [row for row in Store(store).read_results(summary.study) if row["status"] == "failed"]
    errors = Counter(" ".join(str(row["error"]).split()) for row in rows)
    for text, number in errors.most_common(_SHOWN):
        complain(f"  {number} x {text}")
    if len(errors) > _SHOWN:
        complain(f"  and {len(errors) - _SHOWN} other errors; they are in the column error")
    complain("--retry-failed runs the failed tasks again.")


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


class _Bar:
    """Tasks done, rate and time left on stderr, if it is a terminal and the sweep lasts longer than two seconds."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.done = 0
        self.total = 0
        self._began = time.monotonic()
        self._bar = Progress(
            TextColumn("sweeping"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Terminal(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("sweeping", total=None, rate="starting workers")
        self._started = False

    def __enter__(self) -> _Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started:
            self._bar.stop()

    def show(self, progress: SweepProgress) -> None:
        """Called after each transaction."""
        self.done, self.total = progress.done, progress.total
        if not self._started and sys.stderr.isatty() and time.monotonic() - self._began > _PATIENCE:
            self._bar.start()
            self._started = True
        rate = f"{progress.done / max(progress.seconds, 1e-9):.3g} tasks/s"
        if progress.failed:
            rate += f", {progress.failed} failed"
        self._bar.update(self._task, completed=progress.done, total=progress.total, rate=rate)
