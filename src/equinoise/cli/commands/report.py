"""``equinoise report``."""

from __future__ import annotations

from typing import Annotated

import typer

from equinoise.cli.terminal import say

__all__ = ["report"]


def report(
    store: Annotated[str, typer.Argument(metavar="STORE", help="A store written by equinoise sweep (.duckdb).")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="Where the page goes.", show_default=False)],
    study: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of the study of this name.", show_default="all")
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The page's title.", show_default="the store's name")
    ] = None,
) -> None:
    """Make one page of a sweep's results that opens in any browser, offline.

    Survival curves with bounds, the collapse on s kappa, kappa's budget on the device graph, depth against survival, a
    ranking that sorts and filters, and where the numbers come from.
    """
    from equinoise.cli.progress import Waiting
    from equinoise.report.files import check_target

    check_target(out, "--out")
    with Waiting("reading the store"):
        from equinoise.report.page.html import write_page
        from equinoise.report.page.results import read_results

        results = read_results(store, study)
        size = write_page(results, out, title, command_line())
    failed = f", {len(results.failed):,} failed" if results.failed else ""
    say(f"{out}: {len(results.rows):,} designs{failed}, {size / 1e6:.1f} MB")


def command_line() -> str:
    """The command that is running, as typed in a shell."""
    import shlex
    import sys

    return shlex.join(["equinoise", *sys.argv[1:]])
