"""Qiskit's sampler interface, version 2: samples of the exact noisy distribution of charge-conserving circuits."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.primitives import BaseSamplerV2, BitArray, DataBin, PrimitiveJob, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub

from equinoise.errors import CircuitError
from equinoise.interop.circuit_keys import circuit_key
from equinoise.interop.expectations import prepared_or_empty
from equinoise.interop.outcomes import OutcomeProblem
from equinoise.noise.model import NoiseModel
from equinoise.reduction.prepared import Kept

__all__ = ["SectorSampler"]

Real = npt.NDArray[np.float64]

_KEPT_PROBLEMS = 64


class SectorSampler(BaseSamplerV2):  # type: ignore[misc]
    """Samples of the exact distribution in the charge blocks of the measured qubits' light cone.

    A circuit is compiled once for all its parameter values. Input, noise, angles and the full space are those of
    :class:`~equinoise.interop.qiskit_estimator.SectorEstimator`. Assignment errors flip each bit read at their rates.
    Measurements come last on their qubits. Threads may share a sampler.

    Args:
        noise: As :class:`equinoise.Problem` takes it.
        default_shots: Of pubs and runs that state none.
        seed: A run's samples follow from it; None for fresh ones.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.interop.qiskit_sampler import SectorSampler
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(4)
        >>> _ = circuit.x([0, 2])
        >>> circuit = circuit.compose(eq.circuits.brickwork(4, depth=2))
        >>> circuit.measure_all()
        >>> counts = SectorSampler(seed=1).run([(circuit, [0.3] * 14)], shots=1000).result()[0].data.meas.get_counts()
        >>> {bits.count("1") for bits in counts}, sum(counts.values())
        ({2}, 1000)
    """

    def __init__(
        self,
        noise: NoiseModel | str | Mapping[str, Any] | None = None,
        default_shots: int = 1024,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        self._noise = noise
        self._default_shots = default_shots
        self._seed = seed
        self._problems = Kept(_KEPT_PROBLEMS)

    @property
    def default_shots(self) -> int:
        """Of pubs and runs that state none."""
        return self._default_shots

    @property
    def seed(self) -> int | np.random.Generator | None:
        """What samples follow from."""
        return self._seed

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> PrimitiveJob:
        """Samples of each (circuit, parameter values, shots): a ``BitArray`` for each classical register.

        Args:
            pubs: As for any ``SamplerV2``.
            shots: Of pubs that state none.

        Returns:
            A job; its result's ``metadata`` hold shots, engine, light cone and what was assumed, dropped or clipped.

        Raises:
            EquinoiseError: From the job's result: what :class:`equinoise.Problem` raises.
        """
        coerced = [SamplerPub.coerce(pub, self._default_shots if shots is None else shots) for pub in pubs]
        if any(not pub.circuit.cregs for pub in coerced):
            warnings.warn(
                "a circuit has no classical registers, and its result will be empty: add measurements, as "
                "circuit.measure_all() does",
                UserWarning,
                stacklevel=2,
            )
        job = PrimitiveJob(self._run, coerced)
        job._submit()
        return job

    def _run(self, pubs: list[SamplerPub]) -> PrimitiveResult:
        rng = np.random.default_rng(self._seed)
        keys: dict[int, Hashable] = {}
        for pub in pubs:
            if id(pub.circuit) not in keys:
                keys[id(pub.circuit)] = circuit_key(pub.circuit)
        results = [self._run_pub(pub, keys[id(pub.circuit)], rng) for pub in pubs]
        return PrimitiveResult(results, metadata={"version": 2})

    def _run_pub(self, pub: SamplerPub, key: Hashable, rng: np.random.Generator) -> SamplerPubResult:
        circuit, shape = pub.circuit, pub.parameter_values.shape
        measured = _Measured.of(circuit)
        metadata: dict[str, Any] = {"shots": pub.shots, "circuit_metadata": circuit.metadata}
        count = int(np.prod(shape, dtype=np.int64))
        bits = np.zeros((count, pub.shots, 1), dtype=np.uint8)
        if measured.qubits:
            stated = self._problems.made(key, lambda: self._stated(circuit, measured))
            order = [p.name for p in circuit.parameters]
            angles = pub.parameter_values.as_array(order) if order else np.zeros((count, 0))
            thetas = np.asarray(angles, dtype=np.float64).reshape(count, len(order))
            found = stated.samples(thetas, pub.shots, rng)
            bits = np.concatenate([found, bits], axis=-1)  # the last one stays 0, for bits that nothing is read into
            metadata |= {"engine": stated.engine, "reduction": (stated.reduction,), "warnings": stated.warnings}
        data = {
            name: BitArray(_packed(bits[..., places]).reshape(*shape, pub.shots, -(-len(places) // 8)), len(places))
            for name, places in measured.registers.items()
        }
        return SamplerPubResult(DataBin(**data, shape=shape), metadata=metadata)

    def _stated(self, circuit: QuantumCircuit, measured: _Measured) -> OutcomeProblem:
        initial = prepared_or_empty(measured.unitary)
        return OutcomeProblem(measured.unitary, measured.qubits, full_space=True, noise=self._noise, initial=initial)


@dataclass(frozen=True)
class _Measured:
    """What a circuit measures.

    Attributes:
        unitary: The circuit without measurements.
        qubits: Those measured.
        registers: Per classical register and bit, the place among ``qubits``; -1 for a bit that nothing is read into.
    """

    unitary: QuantumCircuit
    qubits: tuple[int, ...]
    registers: dict[str, list[int]]

    @classmethod
    def of(cls, circuit: QuantumCircuit) -> _Measured:
        """Reads it off the circuit.

        Raises:
            CircuitError: A gate follows a measurement on its qubit.
        """
        unitary = circuit.copy_empty_like()
        read: dict[int, int] = {}
        for item in circuit.data:
            qubits = [circuit.find_bit(bit).index for bit in item.qubits]
            if item.operation.name == "measure":
                read[circuit.find_bit(item.clbits[0]).index] = qubits[0]
                continue
            late = set(qubits) & set(read.values())
            if late and item.operation.name not in ("barrier", "delay"):
                raise CircuitError(
                    f"gate {item.operation.name!r} follows a measurement of qubit {min(late)}. Only final measurements "
                    "are allowed; remove the others."
                )
            unitary.append(item.operation, item.qubits, item.clbits)
        order = tuple(sorted(set(read.values())))
        place = {qubit: i for i, qubit in enumerate(order)}
        registers = {
            register.name: [place.get(read.get(circuit.find_bit(bit).index, -1), -1) for bit in register]
            for register in circuit.cregs
        }
        return cls(unitary, order, registers)


def _packed(bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bits, the first the least significant, as whole big-endian bytes: as BitArray holds them."""
    missing = -bits.shape[-1] % 8
    padded = np.concatenate([np.zeros((*bits.shape[:-1], missing), dtype=np.uint8), bits[..., ::-1]], axis=-1)
    return np.packbits(padded, axis=-1)
