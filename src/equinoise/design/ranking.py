"""What a ranking holds: designs with their worth, those left out, and what searching a layout won."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Design", "Gain", "LeftOut", "RankedDesign", "Ranking"]

Interval = tuple[float, float]

SCHEMA = "equinoise.rank/1"


@dataclass(frozen=True)
class Design:
    """One circuit with its readout, noise and place.

    Attributes:
        family: "brickwork", "ladder", "ring" or "all-to-all".
        num_qubits: n.
        depth: Number of layers; a ladder's layer is one whole staircase.
        interaction: "rzz", "cphase" or "none".
        readout: Label.
        noise: What the noise is called.
        placement: "searched" or "qiskit" on a device ("both" where they agree), "given" for a layout that came with the
            noise; empty without a device.
        layout: Physical qubit of each circuit qubit; empty without a device.
    """

    family: str
    num_qubits: int
    depth: int
    interaction: str
    readout: str
    noise: str
    placement: str = ""
    layout: tuple[int, ...] = ()

    @property
    def source(self) -> str:
        """The circuit as ``equinoise.load_circuit`` and the command line take it."""
        return f"{self.family}:n={self.num_qubits},depth={self.depth},interaction={self.interaction}"


@dataclass(frozen=True)
class RankedDesign:
    """A design with what its gradient is worth.

    Attributes:
        place: 1 for the largest score.
        group: Designs of a group do not differ significantly from the group's leader; 1 is the best.
        leads: Whether it is its group's leader.
        against_leader: 95 % interval of ln(score/leader's score).
        design: The design.
        parameters: Of the circuit.
        cone_parameters: K, those in the light cone.
        cone_width: Number of qubits in the light cone.
        noiseless_rms: sqrt(V(0)/K), per radian.
        survival: R(s) = sqrt(V(s)/V(0)).
        survival_interval: 95 %.
        readout_factor: What assignment errors leave of the RMS gradient.
        rms: sqrt(V(s)/K) as read, per radian.
        shot_variance: Var(O) from one shot in each measurement setting.
        score: rms / sqrt(w Var(O)), signal-to-noise ratio of one shot; w the mean shift-rule weight, 1/2 for two terms.
        interval: 95 %.
        shots: 1/score^2, shots per evaluation for signal-to-noise ratio 1.
        shots_interval: 95 %.
        kappa: The law's kappa at scale 1.
        kappa_error: Its standard error.
        samples: Draws of the parameters.
        engine: Engine used.
    """

    place: int
    group: int
    leads: bool
    against_leader: Interval
    design: Design
    parameters: int
    cone_parameters: int
    cone_width: int
    noiseless_rms: float
    survival: float
    survival_interval: Interval
    readout_factor: float
    rms: float
    shot_variance: float
    score: float
    interval: Interval
    shots: float
    shots_interval: Interval
    kappa: float
    kappa_error: float
    samples: int
    engine: str


@dataclass(frozen=True)
class LeftOut:
    """A design that could not be ranked, and why.

    Attributes:
        design: The design.
        reason: What is in the way.
    """

    design: Design
    reason: str


@dataclass(frozen=True)
class Gain:
    """What the searched layout wins over Qiskit's for one design on one device, both simulated on the same draws.

    Attributes:
        searched: Place of the searched layout's design in the ranking.
        qiskit: Place of the other.
        gradient: Ratio of the RMS gradients as read.
        gradient_interval: 95 %.
        predicted: The law's ratio of exp(-s kappa) x readout factor.
        shots: Ratio of the shots needed; below 1 where the searched layout saves some.
    """

    searched: int
    qiskit: int
    gradient: float
    gradient_interval: Interval
    predicted: float
    shots: float


@dataclass(frozen=True)
class Ranking:
    """Designs and placements, best first.

    Attributes:
        designs: Ranked by score.
        left_out: Those that could not be ranked.
        gains: What searching the layout won, per design and device with two different layouts.
        initial: The input, qubit 0 rightmost.
        charge: Its charge.
        max_parameters: The budget; None without one.
        scale: Noise scale s.
        samples: Greatest number of draws of one design.
        first_samples: Draws of every design.
        seed: Of the draws.
        ensemble: In words.
    """

    designs: tuple[RankedDesign, ...]
    left_out: tuple[LeftOut, ...]
    gains: tuple[Gain, ...]
    initial: str
    charge: int
    max_parameters: int | None
    scale: float
    samples: int
    first_samples: int
    seed: int
    ensemble: str

    @property
    def told_apart(self) -> bool:
        """Whether the best design differs significantly from every other one."""
        return sum(one.group == 1 for one in self.designs) == 1

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON; what is not finite is None."""
        return {
            "schema": SCHEMA,
            "score": "sqrt(V(s)/K) as read / sqrt(w Var(O)), w the mean weight of the shift rules (1/2 for two terms): "
            "signal-to-noise ratio of one shot per evaluation and setting; shots = 1/score^2",
            "initial": self.initial,
            "charge": self.charge,
            "max_parameters": self.max_parameters,
            "scale": self.scale,
            "samples": self.samples,
            "first_samples": self.first_samples,
            "seed": self.seed,
            "ensemble": self.ensemble,
            "told_apart": self.told_apart,
            "designs": [_plain(asdict(one) | {"source": one.design.source}) for one in self.designs],
            "left_out": [_plain(asdict(one) | {"source": one.design.source}) for one in self.left_out],
            "gains": [_plain(asdict(one)) for one in self.gains],
        }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
