"""Circuits from files and short descriptions: OpenQASM 2 and 3, QPY, ``brickwork:n=12,depth=6``."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit, qasm2, qasm3, qpy
from qiskit.circuit import ControlledGate, Instruction, ParameterExpression, ParameterVector
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator

from equinoise.circuit.builders import (
    all_to_all,
    brickwork,
    exchange,
    fermi_hubbard,
    ladder,
    lattice,
    parity_conserving,
    permutation_equivariant,
    ring,
    translation_invariant,
)
from equinoise.circuit.stored.qasm_text import check_expansion, with_includes
from equinoise.circuit.stored.qpy_header import check_qpy_header
from equinoise.errors import ParameterError, SourceError
from equinoise.limits import check_file, whole_number

__all__ = ["free_angles", "load_circuit"]

_BLOCKS = ("interaction", "phase", "shared")
# each builder with its options beside its size and depth
_FAMILIES: dict[str, tuple[Callable[..., QuantumCircuit], tuple[str, ...]]] = {
    "brickwork": (brickwork, (*_BLOCKS, "periodic")),
    "ladder": (ladder, _BLOCKS),
    "ring": (ring, _BLOCKS),
    "all-to-all": (all_to_all, _BLOCKS),
    "permutation": (permutation_equivariant, ()),
    "exchange": (exchange, ("shared", "periodic")),
    "parity": (parity_conserving, ("interaction", "periodic")),
    "translation": (translation_invariant, ()),
    "hubbard": (fermi_hubbard, ("shared",)),
}
_ESCAPE = re.compile(r"(?:\x1b|\\x1b)\[[0-9;]*m")
_HEADER = re.compile(r"^\s*OPENQASM\s+(\d+(?:\.\d+)?)\s*;", re.MULTILINE)
_VERSIONS = ("2", "2.0", "3", "3.0", "3.1")
_INPUT = re.compile(r"^\s*input\s+(?:float|angle)(?:\[\d+\])?\s+(\w+)\s*;", re.MULTILINE)
_GLOBAL_PHASE = re.compile(r"^[ \t]*gphase\s*\([^;]*;", re.MULTILINE)
_OWN_GATE = re.compile(r"^\s*gate\s+(\w+)", re.MULTILINE)


def load_circuit(source: str | Path) -> QuantumCircuit:
    """A circuit from an OpenQASM 2 or 3 file, a QPY file, or a builder such as "brickwork:n=12,depth=6".

    Args:
        source: A path (.qasm, .qasm3, .qpy), or ``brickwork:`` with the options n, depth, periodic, interaction, phase,
            shared of :func:`equinoise.circuits.brickwork`, or ``ladder:``, ``ring:`` or ``all-to-all:`` with the same
            options but periodic (:func:`equinoise.circuits.ladder`, :func:`~equinoise.circuits.ring`,
            :func:`~equinoise.circuits.all_to_all`), or ``device:NAME`` with depth, interaction, phase, shared of
            :func:`equinoise.circuits.lattice` on the couplers of a device snapshot, e.g. "device:torino,depth=6", or
            ``permutation:``, ``exchange:``, ``parity:``, ``translation:`` with n, depth and the options of their
            builders in :mod:`equinoise.circuits`, or ``hubbard:`` with sites, depth, shared.

    Raises:
        SourceError: A missing or malformed file, an unknown builder or option.
        DeviceError: An unknown device, or no package that holds the snapshots.
        ParameterError: An OpenQASM 3 ``input`` that no gate uses.

    Example:
        >>> import equinoise as eq
        >>> eq.load_circuit("brickwork:n=4,depth=2").num_qubits
        4
    """
    text = str(source)
    if text.startswith(("device:", *(f"{family}:" for family in _FAMILIES))):
        return _built(text)
    path = Path(source)
    try:
        found = path.is_file()
    except OSError as error:  # a name that is too long
        raise SourceError(f"cannot look for the circuit file {text!r}: {error.strerror}. Check the name.") from None
    if not found:
        raise SourceError(
            f"no such circuit file: {text!r}. Expected the path of an OpenQASM 2/3 (.qasm) or QPY (.qpy) file, "
            "or a builder such as 'brickwork:n=12,depth=6'."
        )
    check_file(path)
    return _from_qpy(path) if path.suffix.lower() == ".qpy" else _from_qasm(path)


def _from_qpy(path: Path) -> QuantumCircuit:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}.") from None
    check_qpy_header(data, str(path))
    with _readable(f"{path} is not a readable QPY file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a newer Qiskit's file; what cannot be read says so
        circuits = qpy.load(io.BytesIO(data))
    if len(circuits) != 1 or not isinstance(circuits[0], QuantumCircuit):
        raise SourceError(f"{path} holds {len(circuits)} programs; expected exactly one circuit. Save one per file.")
    return circuits[0]


def _from_qasm(path: Path) -> QuantumCircuit:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"cannot read {path}: {error}.") from None
    header = _HEADER.search(text)
    if header is None:
        raise SourceError(f"{path} has no 'OPENQASM 2.0;' or 'OPENQASM 3.0;' header.")
    version = header.group(1)
    if version not in _VERSIONS:
        raise SourceError(f"{path} is OpenQASM {version}; the versions {', '.join(_VERSIONS)} are read.")
    try:
        whole = with_includes(text, path.parent) if version.startswith("2") else text
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None
    check_expansion(whole, str(path))
    with _readable(f"{path} is not valid OpenQASM {version[0]}"):
        circuit = _parsed(whole, version)
    names = {p.name for p in circuit.parameters}
    unused = [name for name in _INPUT.findall(text) if name not in names]
    if unused:
        raise ParameterError(f"{path}: input parameter {unused[0]!r} enters no gate. Remove it or use it in a gate.")
    return circuit


def _parsed(text: str, version: str) -> QuantumCircuit:
    if version.startswith("3"):
        return qasm3.loads(text)
    # Qiskit's gates beyond qelib1.inc, except where the file gives their names a meaning of its own
    own = set(_OWN_GATE.findall(text))
    if "gphase" not in own:  # PennyLane writes them; OpenQASM 2 controls no gate, so that no global phase is ever seen
        text = _GLOBAL_PHASE.sub(lambda found: "\n" * found.group().count("\n"), text)
    known = [gate for gate in qasm2.LEGACY_CUSTOM_INSTRUCTIONS if gate.name not in own]
    # no path: what the text includes is in it already, and nothing else is read
    return qasm2.loads(text, include_path=(), custom_instructions=known)


@contextmanager
def _readable(claim: str) -> Iterator[None]:
    """Whatever another program's reader raises becomes one message.

    Parsers have exceptions of their own, binary readers let struct.error through, and Qiskit's Rust code panics with
    what is no ``Exception`` at all.
    """
    try:
        with _silent():
            yield
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except RecursionError:
        raise SourceError(f"{claim}: it is nested too deeply.") from None
    except BaseException as error:
        raise SourceError(f"{claim}: {_reason(error)}") from None


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing on stderr: the OpenQASM 3 parser prints what it trips over as it is, a panic prints a stack of frames."""
    with redirect_stderr(io.StringIO()), open(os.devnull, "wb") as nowhere:
        try:
            kept = os.dup(2)
        except OSError:  # there is no stderr
            yield
            return
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _reason(error: BaseException) -> str:
    """The first telling line of a reader's message, or where its parser stopped."""
    lines = [line.strip(" \"'") for line in _ESCAPE.sub("", str(error)).replace("\\n", "\n").splitlines()]
    telling = [line.partition("Error: ")[2] for line in lines if "Error: " in line] or [line for line in lines if line]
    if telling:
        return telling[0]
    # the OpenQASM 3 parser says nothing, but keeps the token that it could not take
    stopped = getattr(next(iter(getattr(error.__cause__, "args", ())), None), "offendingToken", None)
    if stopped is None:
        return type(error).__name__
    return f"syntax error at line {stopped.line}, column {stopped.column}, near {stopped.text!r}"


def _built(text: str) -> QuantumCircuit:
    builder, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    build, own = _FAMILIES.get(builder, (lattice, _BLOCKS))
    size = "sites" if builder == "hubbard" else "n"
    names = {} if build is lattice else {size: "sites" if size == "sites" else "num_qubits"}
    names |= {name: name for name in ("depth", *own)}
    if builder == "device":
        device, _, rest = rest.partition(",")
    for item in rest.split(","):
        key, equals, value = (part.strip() for part in item.partition("="))
        if key in names and names[key] in options:
            raise SourceError(f"{key} is given twice in {text!r}; give it once.", key)
        if not equals or key not in names:
            known = ", ".join(f"{k}=.." for k in names)
            raise SourceError(f"cannot read {item!r} in {text!r}; options: {known}.", key)
        if key in (size, "depth"):
            number = whole_number(value)
            if number is None:
                raise SourceError(f"{key} must be a whole number in {text!r}, got {value!r}.", key)
            options[names[key]] = number
        elif key == "interaction":
            options[key] = value
        elif value.lower() in ("true", "false", "1", "0"):
            options[names[key]] = value.lower() in ("true", "1")
        else:
            raise SourceError(f"{key} must be true or false in {text!r}, got {value!r}.", key)
    if builder in _FAMILIES:
        if not {names[size], "depth"} <= set(options):
            raise SourceError(f"{text!r} must say {size} and depth, e.g. {builder}:{size}=12,depth=6.")
        return build(**options)
    if "depth" not in options:
        raise SourceError(f"{text!r} must say its depth, e.g. device:torino,depth=6.")
    from equinoise.device.snapshots import couplers

    return lattice(couplers(device), **options)


_PREPARING = frozenset({"rx", "ry", "r", "u", "u1", "u2", "u3", "p", "rz"})


def free_angles(circuit: QuantumCircuit, name: str = "angle") -> QuantumCircuit:
    """The circuit with each bound rotation angle as a parameter of its own.

    Angles of leading one-qubit gates stay bound (they prepare the state), and so do angles that are exactly 0 in gates
    with several angles (the beta of a plain XX+YY).

    Args:
        circuit: With bound angles; parameters it already has are kept.
        name: Name of the new ``ParameterVector``.

    Raises:
        SourceError: A gate of the circuit's own making has bound angles: what else they would do is not known.
    """
    started: set[int] = set()
    slots: list[tuple[int, int]] = []
    for position, item in enumerate(circuit.data):
        qubits = [circuit.find_bit(bit).index for bit in item.qubits]
        operation = item.operation
        if operation.name in ("barrier", "measure", "delay", "global_phase"):
            continue
        leading = len(qubits) == 1 and qubits[0] not in started and not _is_free(operation.params)
        if not (leading and (operation.name in _PREPARING or not operation.params)):
            started |= set(qubits)
            for i, value in enumerate(operation.params):
                bound = isinstance(value, int | float) or (
                    isinstance(value, ParameterExpression) and not value.parameters
                )
                if bound and not (len(operation.params) > 1 and float(value) == 0.0):
                    slots.append((position, i))
    fresh = ParameterVector(name, len(slots))
    chosen = dict(zip(slots, fresh, strict=True))
    out = circuit.copy_empty_like()
    for position, item in enumerate(circuit.data):
        params = [chosen.get((position, i), p) for i, p in enumerate(item.operation.params)]
        if any((position, i) in chosen for i in range(len(params))):
            out.append(_with_angles(item.operation, params, position), item.qubits, item.clbits)
        else:
            out.append(item.operation, item.qubits, item.clbits)
    return out


def _with_angles(operation: Instruction, params: list[Any], position: int) -> Instruction:
    """The same gate with other angles."""
    known = operation.base_class
    try:
        if not known.__module__.startswith("qiskit.circuit.library.standard_gates"):
            # files define even standard gates anew: their name is believed if the matrix agrees with it
            known = get_standard_gate_name_mapping()[operation.name].base_class
            if not Operator(known(*operation.params)).equiv(Operator(operation)):
                raise KeyError(operation.name)
        out: Instruction = known(*params)
    except (KeyError, TypeError, QiskitError):
        raise SourceError(
            f"gate {operation.name!r} at position {position} is not a standard Qiskit gate: its bound angles cannot be "
            "made parameters. Write them as 'input float' parameters (OpenQASM 3), or use standard gates."
        ) from None
    if isinstance(operation, ControlledGate):
        out.ctrl_state = operation.ctrl_state
    return out


def _is_free(params: list[Any]) -> bool:
    return any(isinstance(p, ParameterExpression) and p.parameters for p in params)
