"""``equinoise reproduce``."""

from __future__ import annotations

from typing import Annotated

import typer

from equinoise.cli.sampling_options import Seed, Workers
from equinoise.cli.terminal import Terminal

__all__ = ["reproduce"]


def reproduce(
    out: Annotated[
        str,
        typer.Option(metavar="FOLDER", help="Where tables, figures and summary.json go.", show_default=False),
    ],
    quick: Annotated[bool, typer.Option("--quick", help="The small set: about three minutes on two cores.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Run this study alone; may be given several times.", show_default="all"),
    ] = None,
    seed: Seed = 0,
    workers: Workers = None,
    tables: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="The authors' published tables, for the study 'published': a clone of their repository.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Regenerate the claims of arXiv:2606.30688 and of equinoise: tables, figures and a verdict on each.

    A study that finished in the folder before is not repeated. Exit status 1 says that a criterion failed.
    """
    from equinoise.cli.progress import Waiting
    from equinoise.cli.reproduction import print_reproduction
    from equinoise.evidence.frame.reproduce import reproduce as run

    with Waiting("reproducing") as waiting:
        summary = run(out, quick=quick, only=only, seed=seed, workers=workers, tables=tables, progress=waiting)
    print_reproduction(summary, Terminal())
    if not summary.passed:
        raise typer.Exit(1)
