"""The command ``equinoise``."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from equinoise.cli.commands.advise import advise
from equinoise.cli.commands.devices import devices
from equinoise.cli.commands.diagnose import diagnose
from equinoise.cli.commands.engines import engines
from equinoise.cli.commands.rank import rank
from equinoise.cli.commands.report import report
from equinoise.cli.commands.reproduce import reproduce
from equinoise.cli.commands.sweep import sweep
from equinoise.cli.commands.symmetries import symmetries
from equinoise.cli.commands.train import train
from equinoise.cli.failures import INTERRUPTED, told
from equinoise.cli.terminal import say

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """The group of commands: what goes wrong in reading the options or in a command ends in a message and a code."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        if not args:  # the help
            return super().make_context(info_name, args, parent, **extra)
        with told():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        with told(), warnings.catch_warnings():
            if not sys.warnoptions:  # other packages' warnings are not the user's; ours are in the report
                warnings.simplefilter("ignore")
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


class _Command(TyperCommand):
    """A command whose options mean one thing: of two values for one option neither is taken."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        single = [one for one in order if not getattr(one, "multiple", False) and one.param_type_name == "option"]
        for one in single:
            if single.count(one) > 1:
                ctx.fail(f"{'/'.join(one.opts)} is given twice; give it once")
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="equinoise",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Whether the gradients of an equivariant quantum circuit survive the noise of a real device, why, and "
    "what to change.",
)
app.command(cls=_Command)(diagnose)
app.command(cls=_Command)(advise)
app.command(cls=_Command)(devices)
app.command(cls=_Command)(engines)
app.command(cls=_Command)(rank)
app.command(cls=_Command)(report)
app.command(cls=_Command)(reproduce)
app.command(cls=_Command)(sweep)
app.command(cls=_Command)(symmetries)
app.command(cls=_Command)(train)


def _version(wanted: bool) -> None:
    if wanted:
        import equinoise

        say(f"equinoise {equinoise.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Entry point of the command ``equinoise``: 0 done, 2 an error told on stderr, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a terminal without these characters shows "?" instead of failing
            reconfigure(errors="replace")
    try:
        app(prog_name="equinoise")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
