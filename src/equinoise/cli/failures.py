"""What can go wrong while a command runs, as one line on stderr and an exit code."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from equinoise.cli.terminal import complain, printable
from equinoise.errors import EquinoiseError

__all__ = ["FAILED", "INTERRUPTED", "told"]

FAILED = 2
INTERRUPTED = 130
_PIPE_CLOSED = 141
# where it lives depends on typer's release; its child is public
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


@contextmanager
def told() -> Iterator[None]:
    """Turns whatever is raised inside into a line on stderr and ``typer.Exit``: 2 an error, 130 interrupted."""
    try:
        yield
    except (typer.Exit, typer.Abort, SystemExit):
        raise
    except EquinoiseError as error:
        _refuse(str(error))
    except _UsageError as error:
        _refuse(_usage(error))
    except MemoryError:
        _refuse(
            "out of memory. Use fewer --workers, fewer layers or a more local readout; EQUINOISE_MEMORY_GB sets what "
            "may be used."
        )
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        _drop_output()
        raise typer.Exit(_PIPE_CLOSED) from None
    except OSError as error:
        _refuse(f"the operating system refuses: {error}.")
    except BaseException as error:  # also panics of Qiskit's Rust code, which are no Exception
        _refuse(
            f"internal error ({type(error).__name__}: {error}): equinoise should have refused this input or taken it. "
            f"Please report it with {_kept_traceback(error)}"
        )


def _usage(error: Any) -> str:
    command = "equinoise" if error.ctx is None else error.ctx.command_path
    return f"{error.format_message().rstrip('.?')}. See '{command} --help'."


def _refuse(text: str) -> None:
    complain(f"error: {' '.join(text.split())}")
    raise typer.Exit(FAILED) from None


def _kept_traceback(error: BaseException) -> str:
    """Where the traceback was written: a new file of an unguessable name, so that no planted link is followed."""
    versions = f"Python {platform.python_version()}, {platform.platform()}, command: {sys.argv[1:]!r}\n"
    text = printable("".join([versions, *traceback.format_exception(error)]))
    for folder in (None, "."):  # the temporary folder, else the working folder
        try:
            handle, path = tempfile.mkstemp(prefix="equinoise-traceback-", suffix=".txt", dir=folder)
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            continue
        return f"the traceback in {path}"
    return "its traceback, for which no folder could be written: set TMPDIR and run it again."


def _drop_output() -> None:
    """Point stdout at nothing, so that Python does not complain of the closed pipe when it leaves."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
