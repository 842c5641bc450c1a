"""Objects from the user's own Python files, ``module.py:name``: the one source whose loading runs code.

Data, OpenQASM and QPY files are read and never run. A SOURCE with the name of an object behind a colon is imported,
as ``python module.py`` would run it: only the command line takes one, since whoever types it means that module; no
study or other file can name one.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from equinoise.errors import SourceError

__all__ = ["is_python_object", "python_object"]


def is_python_object(source: str) -> bool:
    """Whether a source names an object of a Python file."""
    file, colon, name = source.rpartition(":")
    return bool(colon) and file.endswith(".py") and name.isidentifier()


def python_object(source: str) -> Any:
    """Imports the module and takes the object out of it.

    Args:
        source: ``path/to/module.py:name``.

    Raises:
        SourceError: There is no such file or name, or the module does not run.
    """
    file, _, name = source.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise SourceError(f"no such Python file: {file!r}. Expected module.py:object, a file and a name in it.")
    module = _imported(path)
    try:
        return getattr(module, name)
    except AttributeError:
        known = [each for each in vars(module) if not each.startswith("_")]
        raise SourceError(
            f"{file!r} has no object {name!r}. It has: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}."
        ) from None


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"equinoise_source_{path.stem}", path.resolve())
    if spec is None or spec.loader is None:
        raise SourceError(f"{str(path)!r} is no Python module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses and pickles of the module look for it there
    sys.path.insert(0, str(path.resolve().parent))  # its neighbours, as for a script
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise SourceError(
            f"the module {str(path)!r} does not run: {type(error).__name__}: {error}. Run it by itself first: python "
            f"{path.name}"
        ) from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module
