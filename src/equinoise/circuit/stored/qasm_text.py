"""OpenQASM texts before anything is built from them: what they include, and how large the circuit would be."""

from __future__ import annotations

import re
from pathlib import Path

from equinoise.errors import SourceError
from equinoise.limits import MOST_BYTES, MOST_GATES, check_file, check_gates, check_qubits

__all__ = ["check_expansion", "with_includes"]

# gates in one definition, written out; each is a Python object with a matrix of its own: 0.3 ms
MOST_IN_DEFINITION = 10_000
MOST_CONTROLS = 16
MOST_NESTED = 64

_INCLUDE = re.compile(r'\binclude\s*"([^"\n]*)"\s*;')
_BUILT_IN = frozenset({"qelib1.inc", "stdgates.inc"})
_SKIPPED = re.compile(r'"[^"]*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_REGISTER = re.compile(r"\b(?:qreg|creg)\s+(\w+)\s*\[([^\]]*)\]|\b(?:qubit|bit)\s*\[([^\]]*)\]\s*(\w+)")
_PHYSICAL = re.compile(r"\$(\d+)")
_DEFINITION = re.compile(r"\bgate\s+(\w+)[^{};]*\{([^}]*)\}")
_CALL = re.compile(r"\s*(?:\w+\s*(?:\([^)]*\))?\s*@\s*)*(\w+)\s*(?:\([^;]*\))?(.*)", re.DOTALL)
_CONTROLS = re.compile(r"\b(?:neg)?ctrl\s*(?:\(([^)]*)\))?\s*@")
_INDEX = re.compile(r"\[[^\]]*\d{19}")
_BRACKETS = re.compile(r"[()\[\]{}]")
_WHOLE = re.compile(r"[+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*)")


def with_includes(text: str, folder: Path) -> str:
    """An OpenQASM 2 text with the files that it includes put in their places; those that Qiskit brings stay.

    Nothing outside the folder is read, through ``..``, an absolute path or a symbolic link: the messages of a parser
    would show what is in it.

    Args:
        text: Of the file.
        folder: Of the file, where what it includes must be.

    Raises:
        SourceError: A file outside the folder, missing, unreadable, including itself, or too much of them.
    """
    return _included(text, folder.resolve(), (), [len(text)])


def _included(text: str, folder: Path, within: tuple[Path, ...], total: list[int]) -> str:
    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in _BUILT_IN:
            return match.group(0)
        try:
            path = (folder / name).resolve()
            inside = path.is_relative_to(folder) and path.is_file()
        except (OSError, ValueError):
            inside = False
        if not inside:
            raise SourceError(
                f'include "{name}": no such file in the folder of the circuit. Files elsewhere are not read; put a '
                "copy beside the circuit."
            )
        if path in within:
            raise SourceError(f'include "{name}": the file includes itself. Take that include out.')
        check_file(path)
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f'include "{name}": the file cannot be read ({_kind(error)}).') from None
        total[0] += len(content)
        if total[0] > MOST_BYTES:
            raise SourceError(
                f'include "{name}": with it the circuit has more than {MOST_BYTES / 1e6:.0f} MB of text, which hold a '
                "million gates. Include each file once."
            )
        return _included(content, folder, (*within, path), total)

    return _INCLUDE.sub(put, text)


def _kind(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is not text"


def check_expansion(text: str, where: str) -> None:
    """Refuses a text whose circuit would be too large: registers, gates that define each other, and their calls.

    Two lines that each call a gate twice make four gates, twenty such lines a million: definitions are counted without
    being written out, by the counts of the gates that they call.

    Args:
        text: OpenQASM 2 or 3, includes in place.
        where: The file, for the message.

    Raises:
        SourceError: More than 10,000 qubits or bits, or a size that is not a plain number.
        CircuitError: More than a million gates, or more than 10,000 in one definition.
    """
    bare = _SKIPPED.sub(" ", text)
    _check_nesting(bare, where)
    sizes: dict[str, int] = {}
    for match in _REGISTER.finditer(bare):
        name, size = match.group(1) or match.group(4), (match.group(2) or match.group(3) or "").strip()
        if not _WHOLE.fullmatch(size):
            raise SourceError(f"{where}: the size [{size}] of {name!r} is not a plain whole number. Write it out.")
        sizes[name] = _bounded(size)
    check_qubits(max(sum(sizes.values()), *(1 + _bounded(q) for q in _PHYSICAL.findall(bare)), 0), where)
    if _INDEX.search(bare):
        raise SourceError(f"{where}: an index has more than 18 digits. Qubits are numbered from 0.")
    for line in bare.split(";"):
        controls = sum(_bounded(n) if _WHOLE.fullmatch(n) else 1 for n in map(str.strip, _CONTROLS.findall(line)))
        if controls > MOST_CONTROLS:
            raise SourceError(
                f"{where}: a gate has {controls:,} controls; at most {MOST_CONTROLS} are taken, as what it is made "
                "of grows with them. Write it with smaller gates."
            )
    costs: dict[str, int] = {}
    for name, body in _DEFINITION.findall(bare):
        costs[name] = min(MOST_GATES + 1, sum(_called(line, costs, {}) for line in body.split(";")))
        if costs[name] > MOST_IN_DEFINITION:
            raise SourceError(
                f"{where}: the definition of gate {name!r} has more than {MOST_IN_DEFINITION:,} gates when those that "
                "it calls are written out; that takes minutes before any engine looks at them. Use a smaller one."
            )
    total = 0
    for line in _DEFINITION.sub(" ", bare).split(";"):
        total += _called(line, costs, sizes)
        check_gates(total, where)


def _check_nesting(bare: str, where: str) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(bare):
        depth += 1 if bracket in "([{" else -1
        if depth > MOST_NESTED:
            raise SourceError(
                f"{where}: brackets are nested more than {MOST_NESTED} deep; the time to read them grows with their "
                "depth. Simplify the expression."
            )


def _called(line: str, costs: dict[str, int], sizes: dict[str, int]) -> int:
    """How many gates a statement stands for: those of the gate's definition, once for each qubit of a register."""
    match = _CALL.match(line)
    if match is None:
        return 0
    name, operands = match.groups()
    whole = [sizes.get(operand.strip(), 1) for operand in operands.split(",")]
    return costs.get(name, 1) * max(whole)


def _bounded(digits: str) -> int:
    text = digits.lstrip("+").replace("_", "").lower()
    if len(text) > 18:
        return 10**18
    return int(text, 0) if text[:2] in ("0x", "0b", "0o") else int(text)
