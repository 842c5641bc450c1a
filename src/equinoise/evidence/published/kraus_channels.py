"""The authors' noise channels, given by Kraus strengths, as Lindblad generators with the rates that match exactly.

A strength gamma is a probability of one application. All channels here are semigroups at one instant: a generator with

    damping   Gamma = -ln(1 - gamma) (down (1 - p) Gamma, up p Gamma at an excited share p)
    Pauli     lambda_X = 1 - 2(p_Y + p_Z) = exp(-2(r_Y + r_Z)) and likewise for Y, Z, hence r_X, r_Y, r_Z
    pairs     1 - 2 gamma = exp(-2 r) for Z_i Z_j

gives the same map, with no approximation in gamma. To first order rates are probabilities, which is the generator of
the leading-order law.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing, Depolarizing, NoiseTerm, PauliJump, Relaxation
from equinoise.noise.terms.coherent import Coherent

__all__ = ["CHANNELS", "MAIN", "KrausChannel", "kraus_channel"]

_Z = ((1.0, 0.0), (0.0, -1.0))


@dataclass(frozen=True)
class KrausChannel:
    """One application a layer on every qubit of a ring; each number below is multiplied by the strength gamma.

    Attributes:
        name: As in the tables.
        dephasing: Probability of Z on each qubit, shape (n,).
        damping: Of decay on each qubit, shape (n,).
        excited: Share of the damping that excites, p.
        pauli: Of X, Y and Z on every qubit.
        pairs: Pairs of qubits with a Z Z flip of probability 1.
        turn: Angle of an RZ on every qubit, radians.
    """

    name: str
    dephasing: tuple[float, ...] = ()
    damping: tuple[float, ...] = ()
    excited: float = 0.0
    pauli: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pairs: tuple[tuple[int, int], ...] = ()
    turn: float = 0.0
    num_qubits: int = 0

    def noise(self, strength: float) -> NoiseModel:
        """The channel at a strength gamma, exactly."""
        x, y, z = _pauli_rates(*(strength * share for share in self.pauli))
        terms = [
            *self._dephasing([_flip(strength * share) for share in self.dephasing]),
            *self._damping([-math.log1p(-strength * share) for share in self.damping]),
            *self._pauli(x, y, z),
            *(PauliJump(((a, "Z"), (b, "Z")), _flip(strength)) for a, b in self.pairs),
        ]
        turned = [Coherent((q,), _Z, self.turn * strength / 2) for q in range(self.num_qubits) if self.turn]
        return NoiseModel([*terms, *turned], name=f"{self.name} {strength:g}")

    def first_order(self) -> NoiseModel:
        """Its generator per unit of strength: d/dgamma of the map at gamma = 0, without the coherent part.

        X and Y jumps appear as decay and excitation at the rates x + y: they differ from D[X] x + D[Y] y only in terms
        that move ket and bra by opposite charges, and between ends that conserve the charge these are of second order.
        """
        x, y, z = self.pauli
        mixing = [Relaxation(q, down=x + y, up=x + y) for q in range(self.num_qubits) if x + y]
        phases = self._pauli(0.0, 0.0, z)
        pairs = [PauliJump(((a, "Z"), (b, "Z")), 1.0) for a, b in self.pairs]
        terms = [*self._dephasing(self.dephasing), *self._damping(self.damping), *mixing, *phases, *pairs]
        return NoiseModel(terms, name=f"{self.name} per unit strength")

    def _dephasing(self, rates: tuple[float, ...] | list[float]) -> Iterator[NoiseTerm]:
        return (Dephasing(rate, ((q, 1.0),)) for q, rate in enumerate(rates))

    def _damping(self, rates: tuple[float, ...] | list[float]) -> Iterator[NoiseTerm]:
        p = self.excited
        return (Relaxation(q, down=(1 - p) * rate, up=p * rate) for q, rate in enumerate(rates))

    def _pauli(self, x: float, y: float, z: float) -> list[NoiseTerm]:
        if x == y == z:
            return [Depolarizing((q,), 4 * x) for q in range(self.num_qubits) if x]
        letters = [(letter, rate) for letter, rate in zip("XYZ", (x, y, z), strict=True) if rate]
        return [PauliJump(((q, letter),), rate) for q in range(self.num_qubits) for letter, rate in letters]


def _flip(probability: float) -> float:
    """Rate of the flip P: 1 - 2 probability = exp(-2 rate)."""
    return -math.log1p(-2 * probability) / 2


def _pauli_rates(x: float, y: float, z: float) -> tuple[float, float, float]:
    if x == y == z:
        rate = -math.log1p(-4 * x) / 4
        return rate, rate, rate
    # -ln of the factors by which X, Y and Z shrink: 2(r_Y + r_Z), 2(r_Z + r_X), 2(r_X + r_Y)
    a, b, c = (-math.log1p(-2 * other) for other in (y + z, z + x, x + y))
    rates = ((b + c - a) / 4, (c + a - b) / 4, (a + b - c) / 4)
    return rates[0], rates[1], rates[2]


MAIN = ("amp_damp", "depol", "dephase", "x_err")
"""The four channels of the 96 settings."""

CHANNELS = {
    "amp_damp": "amplitude damping",
    "depol": "depolarizing",
    "dephase": "dephasing",
    "x_err": "bit flips",
    "gen_amp_damp": "damping with heating",
    "coh_overrot": "coherent over-rotation",
    "inhom_dephase": "inhomogeneous dephasing",
    "site_amp_damp": "site-dependent damping",
    "biased_pauli": "biased Pauli",
    "corr_dephase": "correlated dephasing",
    "coh_diss_mix": "over-rotation with damping",
}
"""Name in the tables, and in words."""


def kraus_channel(name: str, num_qubits: int) -> KrausChannel:
    """One of the authors' channels on n qubits.

    Args:
        name: A key of :data:`CHANNELS`.
        num_qubits: n.

    Example:
        >>> from equinoise.evidence.published.kraus_channels import kraus_channel
        >>> rate = kraus_channel("depol", 2).noise(0.3).depolarizing[0].rate
        >>> round(rate, 6)  # -ln(1 - 4 * 0.3 / 3)
        0.510826
    """
    n = num_qubits
    even = (1.0,) * n
    # from a half to one and a half along the ring, mean one
    sloping = tuple(float(w) for w in np.linspace(0.5, 1.5, n))
    parts: dict[str, dict[str, object]] = {
        "amp_damp": {"damping": even},
        "depol": {"pauli": (1 / 3, 1 / 3, 1 / 3)},
        "dephase": {"dephasing": even},
        "x_err": {"pauli": (1.0, 0.0, 0.0)},
        "gen_amp_damp": {"damping": even, "excited": 0.3},
        "coh_overrot": {"turn": 1.0},
        "inhom_dephase": {"dephasing": sloping},
        "site_amp_damp": {"damping": sloping},
        "biased_pauli": {"pauli": (0.6, 0.2, 0.2)},
        "corr_dephase": {"pairs": tuple((q, q + 1) for q in range(0, n - 1, 2))},
        "coh_diss_mix": {"damping": even, "turn": 0.5},
    }
    return KrausChannel(name, num_qubits=n, **parts[name])  # type: ignore[arg-type]
