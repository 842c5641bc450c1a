"""Devices: the snapshots there are, how noisy they are, and what a device's calibration says."""

from __future__ import annotations

import difflib
import importlib
import math
import statistics
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import Gate
from qiskit.exceptions import QiskitError
from qiskit.transpiler import Target

from equinoise.device.gate_fidelity import known_number, stated
from equinoise.errors import DeviceError

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

__all__ = ["Calibration", "DeviceSummary", "Remark", "available", "couplers", "snapshot"]


def _thermal_times(target: Target) -> list[tuple[float | None, float | None]]:
    """(T1, T2) of each physical qubit in seconds as the target states them, unclipped; None where it says nothing."""
    listed = target.qubit_properties or [None] * (target.num_qubits or 0)
    return [(_time(getattr(entry, "t1", None)), _time(getattr(entry, "t2", None))) for entry in listed]


def _time(value: Any) -> float | None:
    return None if value is None or math.isnan(value) or value <= 0 else float(value)


@dataclass(frozen=True)
class Remark:
    """Something that a calibration lacks or misstates.

    Attributes:
        what: In words.
        qubits: Physical qubits.
        taken: What was taken instead.
    """

    what: str
    qubits: tuple[int, ...]
    taken: str


@dataclass(frozen=True)
class Calibration:
    """What a device's calibration says about noise.

    Attributes:
        name: The device's name.
        num_qubits: Number of physical qubits N.
        t1: Relaxation times in seconds, shape (N,); None where T1 or T2 is missing.
        t2: Coherence times in seconds, shape (N,), clipped to 2 T1; None where T1 or T2 is missing.
        readout_error: (p01, p10) per physical qubit, shape (N,): the probability of reading 1 for |0>, of reading 0 for
            |1>; None where missing.
        layout: Physical qubit of each circuit qubit; None: to be chosen for the circuit.
        remarks: What was clipped, symmetrized or missing, and on which physical qubits.
        target: The backend's ``qiskit.transpiler.Target``.
    """

    name: str
    num_qubits: int
    t1: tuple[float | None, ...]
    t2: tuple[float | None, ...]
    readout_error: tuple[tuple[float, float] | None, ...]
    layout: tuple[int, ...] | None = None
    remarks: tuple[Remark, ...] = ()
    target: Target = field(repr=False, compare=False, kw_only=True)

    @classmethod
    def from_backend(cls, backend: BackendV2, layout: Sequence[int] | None = None) -> Calibration:
        """Read the calibration of a Qiskit ``BackendV2``.

        Args:
            backend: Any BackendV2: a device, a snapshot, a ``GenericBackendV2``.
            layout: Physical qubit of each circuit qubit, or None to have one chosen for the circuit.

        Raises:
            DeviceError: The backend has no target with a number of qubits, it states no noise at all, or the layout is
                out of range or repeats.
        """
        target = getattr(backend, "target", None)
        if not isinstance(target, Target) or not target.num_qubits:
            raise DeviceError(
                f"from_backend needs a qiskit BackendV2 whose target has qubits, got {type(backend).__name__}. "
                'Use a device, a snapshot such as equinoise.devices.snapshot("torino"), or a GenericBackendV2.'
            )
        name = str(getattr(backend, "name", None) or type(backend).__name__)
        chosen = None if layout is None else _checked_layout(layout, target.num_qubits, name)
        seen = range(target.num_qubits) if chosen is None else chosen
        times = _thermal_times(target)
        missing = [q for q in seen if None in times[q]]
        t1 = tuple(a if b is not None else None for a, b in times)
        # 1/T2 = 1/(2 T1) + a dephasing rate >= 0, so that T2 <= 2 T1: a larger T2 is an error of its measurement.
        t2 = tuple(None if a is None or b is None else min(b, 2 * a) for a, b in times)
        clipped = [q for q in seen if t2[q] is not None and t2[q] != times[q][1]]
        readout, symmetric = _readout_errors(backend, target)
        unread = [q for q in seen if readout[q] is None]
        if (
            len(missing) == len(seen)
            and not any(sum(readout[q] or ()) for q in seen)
            and not _gate_errors(target, seen)
        ):
            raise DeviceError(_no_noise(backend, name, chosen))
        halved = [q for q in seen if q in symmetric]
        remarks = (
            Remark("T2 > 2 T1", tuple(clipped), "T2 clipped to 2 T1"),
            Remark("T1 or T2 missing", tuple(missing), "no thermal noise there"),
            Remark("only the mean readout error is known", tuple(halved), "p01 = p10 taken"),
            Remark("readout error missing", tuple(unread), "perfect readout there"),
        )
        return cls(name, target.num_qubits, t1, t2, readout, chosen, remarks, target=target)

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks in words, on all qubits that a circuit may be placed on."""
        return self.notes_on(range(self.num_qubits) if self.layout is None else self.layout)

    def notes_on(self, qubits: Sequence[int]) -> tuple[str, ...]:
        """The remarks in words, as far as they concern these physical qubits."""
        told = ((remark, [q for q in qubits if q in set(remark.qubits)]) for remark in self.remarks)
        return tuple(
            f"{self.name}: {remark.what} {_where(here, len(qubits))}: {remark.taken}" for remark, here in told if here
        )


def _gate_errors(target: Target, qubits: Sequence[int]) -> bool:
    """Whether an error above 0 is stated of any gate on these physical qubits."""
    inside = set(qubits)
    for name in target.operation_names:
        if isinstance(target.operation_from_name(name), Gate):
            for place, known in (target[name] or {}).items():
                if (place is None or set(place) <= inside) and (known_number(known, "error") or 0.0) > 0:
                    return True
    return False


def _no_noise(backend: BackendV2, name: str, layout: Sequence[int] | None) -> str:
    """Where a calibration was looked for in vain, and how to give noise."""
    where = "" if layout is None else f" on physical qubits {', '.join(map(str, layout))}"
    profile = getattr(backend, "error_profile", None)
    aer = getattr(getattr(backend, "options", None), "noise_model", None)
    if profile is not None:
        other = "Its error_profile (as IQM's fake backends have) is not read yet. "
    elif type(aer).__module__.startswith("qiskit_aer."):  # IonQ's option of this name is a text
        other = "Its Aer noise model is read by NoiseModel.from_aer(backend.options.noise_model). "
    else:
        other = ""
    return (
        f"{name} states no noise{where}: looked for gate and measurement errors in the target's instruction "
        "properties, T1 and T2 in its qubit properties, and readout errors in backend.properties(), and found none "
        f'above 0. {other}Give the noise itself, e.g. noise="depolarizing:0.003", a noise file or '
        'NoiseModel.from_aer(...), or take a device with a calibration such as "ibm:torino".'
    )


def _where(qubits: Sequence[int], total: int) -> str:
    return f"on {len(qubits)} of {total} physical qubits ({', '.join(map(str, sorted(qubits)))})"


def _checked_layout(layout: Sequence[int], num_qubits: int, name: str) -> tuple[int, ...]:
    listed = list(layout)
    for qubit in listed:
        if isinstance(qubit, bool) or not isinstance(qubit, int | np.integer) or not 0 <= qubit < num_qubits:
            raise DeviceError(
                f"layout entry {qubit!r} is not a physical qubit of {name}; expected one of 0..{num_qubits - 1} "
                "for each circuit qubit, e.g. layout=[5, 6, 7]."
            )
    repeated = [q for q, times in Counter(listed).items() if times > 1]
    if repeated:
        raise DeviceError(f"layout names physical qubit {repeated[0]} twice; give each circuit qubit its own.")
    return tuple(int(q) for q in listed)


def _readout_errors(backend: BackendV2, target: Target) -> tuple[tuple[tuple[float, float] | None, ...], set[int]]:
    """(p01, p10) per qubit, and the qubits for which only their mean is known."""
    try:
        properties = backend.properties()
    except (AttributeError, TypeError, KeyError, ValueError, NotImplementedError, QiskitError):
        properties = None  # a backend without them (GenericBackendV2); the target's measure error remains
    out: list[tuple[float, float] | None] = []
    symmetric = set()
    for qubit in range(target.num_qubits):
        try:
            listed = {} if properties is None else properties.qubit_property(qubit)
        except (QiskitError, KeyError, IndexError):
            listed = {}
        both = [_probability(listed[key][0]) for key in ("prob_meas1_prep0", "prob_meas0_prep1") if key in listed]
        mean = _probability(getattr(stated(target, "measure", (qubit,)), "error", None))
        if len(both) == 2 and both[0] is not None and both[1] is not None:
            out.append((both[0], both[1]))
        elif mean is not None:
            out.append((mean, mean))
            symmetric.add(qubit)
        else:
            out.append(None)
    return tuple(out), symmetric


def _probability(value: Any) -> float | None:
    return None if value is None or not 0 <= value <= 1 else float(value)


@dataclass(frozen=True)
class DeviceSummary:
    """One device snapshot in numbers; None where the snapshot says nothing.

    Attributes:
        name: Short name, e.g. "torino".
        num_qubits: Number of physical qubits.
        t1: Median T1 in seconds.
        t2: Median T2 in seconds, as listed (not clipped).
        error_1q: Median average infidelity of the single-qubit gate (sx, or else x or u3); broken gates left out.
        error_2q: Median average infidelity of the two-qubit gate; broken couplers (error >= 1) left out.
        duration_2q: Median duration of the two-qubit gate in seconds.
        readout_error: Median probability of a wrong readout.
        num_clipped: Number of qubits with T2 > 2 T1, which is impossible and gets clipped.
        two_qubit_gate: Name of the two-qubit gate with the most couplers.
    """

    name: str
    num_qubits: int
    t1: float | None
    t2: float | None
    error_1q: float | None
    error_2q: float | None
    duration_2q: float | None
    readout_error: float | None
    num_clipped: int
    two_qubit_gate: str | None


def _classes() -> dict[str, type[BackendV2]]:
    """Short name -> class of each snapshot; nothing is instantiated."""
    try:
        provider = importlib.import_module("qiskit_ibm_runtime.fake_provider")
    except ImportError:
        raise DeviceError(
            'device snapshots need the package qiskit-ibm-runtime, which is missing. Run: pip install "equinoise[ibm]"'
        ) from None
    found = {}
    for item in (getattr(provider, name) for name in dir(provider)):
        title = getattr(item, "backend_name", None)
        if isinstance(item, type) and isinstance(title, str) and getattr(item, "conf_filename", None):
            found[title.removeprefix("fake_")] = item
    return dict(sorted(found.items()))


def snapshot(name: str) -> BackendV2:
    """A device snapshot (calibration data of a past day) by name.

    Args:
        name: As in `equinoise devices`; "torino", "fake_torino", "ibm_torino" and "ibm:torino" mean the same.

    Raises:
        DeviceError: qiskit-ibm-runtime is missing, or no snapshot has this name.

    Example:
        >>> snapshot("torino").num_qubits
        133
    """
    if not isinstance(name, str):
        raise DeviceError(f"a device name must be a string such as 'torino', got {name!r}.")
    wanted = name.strip().lower()
    for prefix in ("ibm:", "fake_", "ibm_"):
        wanted = wanted.removeprefix(prefix)
    classes = _classes()
    if wanted not in classes:
        close = difflib.get_close_matches(wanted, classes, n=3, cutoff=0.6)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise DeviceError(f"no device snapshot is called {name!r}.{hint} `equinoise devices` lists all {len(classes)}.")
    return classes[wanted]()


def couplers(name: str) -> tuple[tuple[int, int], ...]:
    """The pairs of qubits that a device snapshot couples by a calibrated two-qubit gate, ascending.

    Raises:
        DeviceError: As :func:`snapshot`.

    Example:
        >>> len(couplers("torino"))
        139
    """
    target = snapshot(name).target
    found = set()
    for gate in _gates(target, 2):
        for pair, entry in (target[gate] or {}).items():
            if _working(entry) is not None:
                found.add((min(pair), max(pair)))
    return tuple(sorted(found))


def available() -> tuple[DeviceSummary, ...]:
    """All device snapshots with their median error rates and times, sorted by name (takes seconds: it reads them all).

    Raises:
        DeviceError: qiskit-ibm-runtime is missing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some snapshots warn that their values are not typical
        return tuple(_summary(name, cls().target) for name, cls in _classes().items())


def _summary(name: str, target: Target) -> DeviceSummary:
    times = _thermal_times(target)
    two = _gates(target, 2)
    pair_gate = max(two, key=lambda gate: len(two[gate]), default=None)
    one = _gates(target, 1)
    single = next((gate for gate in ("sx", "x", "u3", "u", "rx") if gate in one), None)
    pairs = two[pair_gate] if pair_gate is not None else []
    return DeviceSummary(
        name=name,
        num_qubits=target.num_qubits or 0,
        t1=_median(t1 for t1, _ in times),
        t2=_median(t2 for _, t2 in times),
        error_1q=_median(_working(entry) for entry in (one[single] if single is not None else [])),
        error_2q=_median(_working(entry) for entry in pairs),
        duration_2q=_median(getattr(entry, "duration", None) for entry in pairs),
        readout_error=_median(getattr(e, "error", None) for e in _entries(target, "measure")),
        num_clipped=sum(t1 is not None and t2 is not None and t2 > 2 * t1 for t1, t2 in times),
        two_qubit_gate=pair_gate,
    )


def _gates(target: Target, num_qubits: int) -> dict[str, list[Any]]:
    names = [name for name in target.operation_names if isinstance(target.operation_from_name(name), Gate)]
    return {name: _entries(target, name) for name in names if target.operation_from_name(name).num_qubits == num_qubits}


def _entries(target: Target, name: str) -> list[Any]:
    return list((target[name] or {}).values()) if name in target else []


def _working(entry: Any) -> float | None:
    error = getattr(entry, "error", None)
    return None if error is None or error >= 1 else float(error)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
