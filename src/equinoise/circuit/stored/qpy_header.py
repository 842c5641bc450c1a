"""The head of a QPY file: how many qubits the circuit in it claims, before memory is set aside for them."""

from __future__ import annotations

import struct

from equinoise.errors import SourceError
from equinoise.limits import check_qubits

__all__ = ["check_qpy_header"]


def check_qpy_header(data: bytes, where: str) -> None:
    """Refuses a QPY file with another number of programs than one, or one of too many qubits.

    A flipped bit in these numbers would make the reader set aside gigabytes. The layout is that of Qiskit's
    documentation ("QPY Format"), big-endian: the file header, from version 5 on the type of program, from version 16
    on each program's position, then the program's header.

    Args:
        data: Content of the file.
        where: The file, for the message.

    Raises:
        SourceError: It is no QPY file, holds another number of circuits than one, or too many qubits or bits.
    """
    try:
        preface, version, _, _, _, programs = struct.unpack_from("!6sBBBBQ", data)
        if preface != b"QISKIT":
            raise SourceError(f"{where} is not a readable QPY file: it does not begin with QISKIT.")
        if programs != 1:
            raise SourceError(f"{where} holds {programs} programs; expected exactly one circuit. Save one per file.")
        start = 18 + (version >= 10) + (version >= 5)
        if version >= 16:
            (start,) = struct.unpack_from("!Q", data, start)
        # the length of its name, the global phase, then the two numbers
        layout = "!HdII" if version < 2 else "!HcHII"
        if start + struct.calcsize(layout) > len(data):
            raise SourceError(f"{where} is not a readable QPY file: it ends too early.")
        *_, qubits, bits = struct.unpack_from(layout, data, start)
    except struct.error:
        raise SourceError(f"{where} is not a readable QPY file: it ends too early.") from None
    check_qubits(max(qubits, bits), where)
