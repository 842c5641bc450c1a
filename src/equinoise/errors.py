"""The exceptions that equinoise raises; every message says what was wrong, what was expected and what to do."""

from __future__ import annotations

__all__ = [
    "CircuitError",
    "DataError",
    "DeviceError",
    "EquinoiseError",
    "MemoryLimitError",
    "NoiseError",
    "ParameterError",
    "ReadoutError",
    "SourceError",
    "StateError",
    "SymmetryError",
    "UnsupportedError",
]


class EquinoiseError(Exception):
    """Base class: catch it to catch everything equinoise raises on purpose."""


class SourceError(EquinoiseError):
    """A circuit source (file or builder string) is missing or cannot be read.

    Attributes:
        option: The builder's option at fault, such as "depth"; None where it is not one option.
    """

    def __init__(self, message: str = "", option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


class CircuitError(EquinoiseError):
    """The circuit holds something no engine can take (a reset in the middle, a measurement, a control flow)."""


class ParameterError(EquinoiseError):
    """A parameter is unused, enters nonlinearly, or the values given for the parameters do not fit."""


class SymmetryError(EquinoiseError):
    """A gate breaks the conserved charge."""


class ReadoutError(EquinoiseError):
    """The readout is malformed, not Hermitian, off the register, or does not conserve the charge."""


class StateError(EquinoiseError):
    """The initial state is malformed, or a charge lies outside 0..n."""


class NoiseError(EquinoiseError):
    """A noise term is malformed: negative or non-finite rate, unknown key, qubit off the register."""


class DeviceError(EquinoiseError):
    """A device is unknown, or a layout does not fit its coupling map."""


class MemoryLimitError(EquinoiseError):
    """The exact engine would need more memory than there is."""


class UnsupportedError(EquinoiseError):
    """The engine or quantity asked for cannot serve this problem."""


class DataError(EquinoiseError):
    """Data or labels are missing, malformed, or do not fit the model, its inputs or its loss."""
