"""The command ``equinoise``."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from equinoise.cli.advise import advise
from equinoise.cli.devices import devices
from equinoise.cli.diagnose import diagnose
from equinoise.cli.engines import engines
from equinoise.cli.rank import rank
from equinoise.cli.report import report
from equinoise.cli.reproduce import reproduce
from equinoise.cli.sweep import sweep
from equinoise.cli.symmetries import symmetries
from equinoise.cli.train import train
from equinoise.errors import EquinoiseError

__all__ = ["app", "main"]

_FAILED = 2
_INTERRUPTED = 130
_PIPE_CLOSED = 141


class _Commands(TyperGroup):
    """Turns what can go wrong while a command runs into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with warnings.catch_warnings():
                if not sys.warnoptions:  # other packages' warnings are not the user's; ours are in the report
                    warnings.simplefilter("ignore")
                result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except EquinoiseError as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(_FAILED) from None
        except MemoryError:
            typer.echo(
                "error: out of memory. Use fewer --workers, fewer layers or a more local readout; "
                "EQUINOISE_MEMORY_GB sets what may be used.",
                err=True,
            )
            raise typer.Exit(_FAILED) from None
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit(_PIPE_CLOSED) from None


app = typer.Typer(
    name="equinoise",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Whether the gradients of an equivariant quantum circuit survive the noise of a real device, why, and "
    "what to change.",
)
app.command()(diagnose)
app.command()(advise)
app.command()(devices)
app.command()(engines)
app.command()(rank)
app.command()(report)
app.command()(reproduce)
app.command()(sweep)
app.command()(symmetries)
app.command()(train)


def _version(wanted: bool) -> None:
    if wanted:
        import equinoise

        typer.echo(f"equinoise {equinoise.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    del version


def _drop_output() -> None:
    """Point stdout at nothing, so that Python does not complain of the closed pipe when it leaves."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Entry point of the command ``equinoise``: 0 done, 2 an error told on stderr, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a terminal without these characters shows "?" instead of failing
            reconfigure(errors="replace")
    try:
        app(prog_name="equinoise")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
