"""The trajectories engine: unbiased noisy values and gradients from state vectors, at any noise scale.

Diagonal noise is a unitary with Gaussian phases, exp(s r D[K]) = E exp(-i sqrt(s r) xi K .), also where the xi are
correlated between slots. A Pauli jump acts or does not, exp(s r D[P]) with the probability (1 - exp(-2 s r))/2.
Relaxation and depolarizing are quantum jumps, and what is stated by its matrix is a Kraus operator, drawn by their Born
probabilities; with psi the unnormalised state of a record of jumps, whose probability is N = <psi|psi> up to a
constant,

    C = E <psi|O|psi> / N,     dC/dtheta_k = E (d/dtheta_k <psi|O|psi>) / N,

both unbiased. One sweep forwards, one backwards: unitaries and no-jump factors are undone, so that beside two vectors
only the states before jumps are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from equinoise.engines.contract import Cost
from equinoise.engines.draws import Draw, NoisyDraw
from equinoise.engines.sector.block_unitaries import Blocks, build_blocks, contract
from equinoise.engines.sector.channel import site_populations
from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.engines.vectors.classical import classical_gradient, is_classical
from equinoise.engines.vectors.events.sampled_channels import KrausChannel
from equinoise.engines.vectors.events.split_trajectories import SplitTrajectories
from equinoise.engines.vectors.events.trajectory_record import Running, act_string, moved
from equinoise.engines.vectors.state_vector import COUNTLESS, StateVectorEngine, block_count
from equinoise.reduction.program import Program
from equinoise.reduction.row_tables import RowIndex

__all__ = ["TrajectoryEngine"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]

_ONE = (0,)
# for estimates only, in seconds, fitted to cones of 4 to 18 qubits on one core: a block on a row of one trajectory with
# its gradient, and what Python takes per call, layer and noise term
_ROW, _CALL, _LAYER, _TERM = 3.3e-9, 3e-4, 1.2e-4, 4e-6
# a channel of Kraus operators, in blocks
_CHANNEL = 6
# standard deviation that stands for a uniform phase on everything that differs at all: exp(-(1e6 d)^2 / 2) = 0
_FROZEN = 1e6


@dataclass(frozen=True)
class Site:
    """One qubit's relaxation and depolarizing at a scale, as a channel.

    Attributes:
        qubit: Cone index.
        transfer: Shape (2, 2), populations to populations.
        angle: Phase of random sign that takes from the coherence what the no-jump factors leave too much.
    """

    qubit: int
    transfer: Real
    angle: float


class TrajectoryEngine(StateVectorEngine):
    """Unbiased noisy values and gradients; kappa as the state-vector engine has it.

    Args:
        program: The compiled problem.
        workers: Draws run at once (threads); all processors by default, fewer when memory is short.

    Raises:
        UnsupportedError: The charge is broken and the full space of the cone too wide.
        MemoryLimitError: Not even one draw fits in memory.
    """

    name = "trajectories"

    def __init__(self, program: Program, workers: int | None = None) -> None:
        super().__init__(program, workers)
        self._sites: dict[tuple[int, float], tuple[Site, ...]] = {}
        self._channels: dict[tuple[int, float], tuple[KrausChannel, ...]] = {}
        self._classical = is_classical(program)
        self.split = SplitTrajectories(self)

    @classmethod
    def cost(cls, program: Program) -> Cost:
        """Seconds and bytes of one trajectory's gradient, before any table is built."""
        law = super().cost(program)
        acting = block_count(program) + _CHANNEL * sum(len(slot.joint) for slot in program.slots)
        rows = min(max(program.dimensions), COUNTLESS) * acting
        seconds = _CALL + _LAYER * len(program.layers) + _TERM * len(program.budget_terms) + _ROW * rows
        kept = 16 * min(max(program.dimensions), COUNTLESS) * len(program.layers)
        return Cost(seconds, law.bytes + kept)

    def _check_scale(self, scale: float) -> None:
        """Every scale serves."""

    def value(self, theta: Real, scale: float = 0.0, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """One trajectory's C(theta; s) and <O^2>; exact at s = 0."""
        if scale == 0 or rng is None:
            return super().value(theta, 0.0)
        draw = self._trajectory(build_blocks(self.program, theta), scale, rng, gradient=False)
        return draw.value, draw.square

    def draw(self, theta: Real, scale: float = 0.0, rng: np.random.Generator | None = None) -> Draw:
        """One trajectory's value, <O^2> and gradient, each unbiased; exact at s = 0."""
        if scale == 0 or rng is None:
            return super().draw(theta, 0.0)
        return self._trajectory(build_blocks(self.program, theta), scale, rng)

    def noisy(self, theta: Real, scales: Sequence[float], rng: np.random.Generator) -> list[NoisyDraw]:
        """Unbiased estimates of g_k, g_k^2, C^2 and <O^2> at each scale: squares are products of two trajectories.

        The same random numbers serve every scale, so that ratios between scales fluctuate less.
        """
        seeds = rng.integers(0, 2**63, size=2)
        blocks = build_blocks(self.program, theta)
        out = []
        for scale in scales:
            if scale == 0:
                one = two = self._noiseless(blocks)
            elif math.isinf(scale) or not self.split.has_events(scale):  # one of the two branches is empty
                one, two = (self._trajectory(blocks, scale, np.random.default_rng(seed)) for seed in seeds)
            else:
                one, two = self.split.pair(blocks, scale, [np.random.default_rng(seed) for seed in seeds])
            mean, square = (one.gradient + two.gradient) / 2, (one.square + two.square) / 2
            out.append(NoisyDraw(mean, one.gradient * two.gradient, one.value * two.value, square))
        return out

    def frozen(self, theta: Real, rng: np.random.Generator) -> float:
        """sum_k g_k^2 at s = infinity; NaN for noise that moves the charge or has no such limit.

        Exactly where a classical process is left (see :mod:`equinoise.engines.vectors.classical`), else unbiased.
        """
        if self.program.noise_class not in ("none", "strong") or not self.program.has_limit:
            return math.nan
        if self._classical:
            return float(np.sum(classical_gradient(self.program, self.program.inputs(theta), theta) ** 2))
        return float(self.noisy(theta, [math.inf], rng)[0].gradient_square.sum())

    # -- one trajectory --------------------------------------------------------------------------------------------

    def read_along(
        self, theta: Real, scale: float, readouts: Sequence[Mapping[int | None, csr_matrix]], rng: np.random.Generator
    ) -> tuple[Real, Real]:
        """Values of several readouts and their gradients along one trajectory, each unbiased: shapes (m,), (m, K).

        Args:
            theta: Shape (K,), radians.
            scale: Noise scale s.
            readouts: By charge sector; see ``Program.observable``.
            rng: Draws the trajectory.
        """
        blocks = build_blocks(self.program, theta)
        running, norm = self._path(blocks, scale, rng)
        seen = [readout[running.charge] @ running.psi for readout in readouts]
        values = np.array([kernels.overlap(running.psi[:, 0], each[:, 0]) for each in seen])
        gradients = np.array([self._back(running, blocks, each) for each in seen])
        return values / norm, gradients / norm

    def _trajectory(self, blocks: Blocks, scale: float, rng: np.random.Generator, gradient: bool = True) -> Draw:
        running, norm = self._path(blocks, scale, rng)
        return self.estimate(running, blocks, norm, gradient)

    def estimate(self, running: Running, blocks: Blocks, norm: float | None = None, gradient: bool = True) -> Draw:
        """What a trajectory says at its end; without a norm, the state's own over the input's weight."""
        psi = running.psi
        if norm is None:
            norm = kernels.overlap(psi[:, 0], psi[:, 0]) / self._weight(blocks.theta)
        seen = self.program.readout[running.charge] @ psi
        value = kernels.overlap(psi[:, 0], seen[:, 0]) / norm
        square = kernels.overlap(seen[:, 0], seen[:, 0]) / norm
        return Draw(value, square, self._back(running, blocks, seen) / norm if gradient else np.zeros(0))

    def mixture(self, theta: Real) -> tuple[list[tuple[int | None, Complex]], Real]:
        """The input's vectors, each with its charge, and their weights |v|^2."""
        choices = [(q, vector) for q, vectors in self.program.inputs(theta) for vector in vectors.T]
        return choices, np.array([np.sum(np.abs(vector) ** 2) for _, vector in choices])

    def start(self, theta: Real, rng: np.random.Generator) -> tuple[int | None, Complex]:
        """One of the input's vectors, drawn by its weight, and its charge."""
        choices, weights = self.mixture(theta)
        return choices[int(rng.choice(len(choices), p=weights / sum(weights.tolist()))) if len(choices) > 1 else 0]

    def _weight(self, theta: Real) -> float:
        return float(sum(self.mixture(theta)[1].tolist()))

    def _path(self, blocks: Blocks, scale: float, rng: np.random.Generator) -> tuple[Running, float]:
        """A trajectory from the input to the end, and its norm N over the input's."""
        program = self.program
        # A record of jumps is drawn with a probability proportional to N = <psi|psi>, and adds <psi|O|psi>/N: its mean
        # is the sum of f = <psi|O|psi> over all records. The gradient is that of f at a fixed record, divided by the
        # same N; so both are unbiased, and the random choices need no derivative.
        charge, vector = self.start(blocks.theta, rng)
        angles, parities = self._draw_phases(scale, rng)
        running = Running(charge, np.ascontiguousarray(vector)[:, None].copy())
        for number, layer in enumerate(program.layers):
            u = blocks.unitary[layer.start : layer.stop]
            kernels.multiply(running.psi, _ONE, layer.kind, layer.table, u, *program.tables[running.charge].arguments)
            running.path.append((running.charge, []))
            self._meet_noise(running, number, scale, angles[number], parities[number], rng)
        return running, kernels.overlap(running.psi[:, 0], running.psi[:, 0]) / self._weight(blocks.theta)

    def _back(self, running: Running, blocks: Blocks, seen: Complex) -> Real:
        """d<psi|O|psi>/dtheta_k at a fixed record of jumps, from O|psi>: shape (K,); the record stays as it is."""
        program = self.program
        both = np.hstack([running.psi, seen])
        moments = np.zeros(program.moments_shape(1), dtype=np.complex128)
        for number in range(self.depth - 1, -1, -1):
            layer = program.layers[number]
            before, events = running.path[number]
            for event in reversed(events):
                both = event.undo(both)
            first, last = program.num_blocks - layer.stop, program.num_blocks - layer.start
            reverse = (*layer.reversed, blocks.dagger[first:last], *program.tables[before].arguments)
            kernels.pull_back(both, *reverse, moments[0, layer.start : layer.stop][::-1])
        return np.asarray(contract(program, blocks, moments)[0])

    def _draw_phases(self, scale: float, rng: np.random.Generator) -> tuple[Real, list[Real]]:
        """Gaussian phases per slot and qubit, shape (L, w), and per slot of its products of Z."""
        program = self.program
        # exp(s r D[K]) rho = E exp(-i a xi K) rho exp(i a xi K) with a = sqrt(s r), xi normal: |x><y| gains the mean of
        # exp(-i a xi (k_x - k_y)), which is exp(-s r (k_x - k_y)^2/2). Correlated noise draws the xi of its slots
        # together.
        total = np.zeros((self.depth, program.width))
        parities = []
        for number, slot in enumerate(self.jumps):
            total[number] += (_amplitudes(slot.rates, scale) * rng.standard_normal(slot.rates.size)) @ slot.weights
            rates = np.array([rate for _, rate, _ in slot.parities])
            parities.append(_amplitudes(rates, scale) * rng.standard_normal(rates.size))
        for process in program.processes:
            xi = rng.standard_normal(process.rank)
            total += (_FROZEN if math.isinf(scale) else math.sqrt(scale)) * process.phases(xi)
        return total, parities

    def sites(self, number: int, scale: float) -> tuple[Site, ...]:
        """Each qubit's channel of populations in a slot, prepared once."""
        key = (number, scale)
        if key not in self._sites:
            slot = self.program.slots[number]
            coherence: dict[int, float] = {}
            for _, moves in slot.sites:
                coherence[moves.qubit] = coherence.get(moves.qubit, 0.0) + moves.decay
            found = []
            for i, transfer in site_populations(slot, scale):
                kept = math.sqrt(transfer[0, 0, 0] * transfer[0, 1, 1])
                left = 0.0 if math.isinf(scale) and coherence[i] else math.exp(-scale * coherence[i])
                # E exp(-i angle (z - z')) over the sign of the angle is cos(2 angle)
                angle = math.acos(min(1.0, left / kept)) / 2 if kept > 0 else 0.0
                found.append(Site(i, np.ascontiguousarray(transfer[0]), angle))
            self._sites[key] = tuple(found)
        return self._sites[key]

    def _meet_noise(
        self,
        running: Running,
        number: int,
        scale: float,
        angles: Real,
        parities: Real,
        rng: np.random.Generator,
    ) -> None:
        """One slot: phases, then each qubit's relaxation in turn, then pairs.

        A qubit's odds depend on what became of those before it. Most qubits cannot jump, whatever their odds, for the
        random number that they drew: the no-jump factors of a stretch of such qubits are applied at once.
        """
        width = self.program.width
        turned, empty, filled = angles.copy(), np.ones(width), np.ones(width)
        stretches: list[tuple[Real, Real, Site | None, float]] = []
        for site in self.sites(number, scale):
            turned[site.qubit] += site.angle if rng.random() < 0.5 else -site.angle
            u = rng.random()
            if u < max(site.transfer[0, 1], site.transfer[1, 0]):
                stretches.append((empty, filled, site, u))
                empty, filled = np.ones(width), np.ones(width)
            else:
                empty[site.qubit], filled[site.qubit] = np.sqrt(np.diag(site.transfer))
        stretches.append((empty, filled, None, 1.0))
        for empty, filled, candidate, u in stretches:
            phases = self.phases(running.charge)
            if np.any(turned) or parities.size or np.any(empty != 1) or np.any(filled != 1):
                factor = phases.products(_turned(empty, -turned), _turned(filled, turned))
                for angle, (qubits, _, _) in zip(parities, self.jumps[number].parities, strict=False):
                    factor *= np.exp(-1j * angle * phases.parity(qubits))
                running.scale(factor)
            if candidate is not None:
                self._meet_site(running, candidate, u)
            turned, parities = np.zeros(width), parities[:0]  # phases act once
        for reset in self.jumps[number].resets:
            if rng.random() < -math.expm1(-scale * reset.rate):
                self.reset_pair(running, rng, reset.qubits)
        for kick in self.jumps[number].strings:
            # exp(s r D[P]) r = (1 + e)/2 r + (1 - e)/2 P r P, e = exp(-2 s r)
            if rng.random() < -math.expm1(-2 * scale * kick.rate) / 2:
                act_string(running, rng, kick.operator)
        for channel in self.channels(number, scale):
            self._meet_channel(running, channel, rng.random())

    def channels(self, number: int, scale: float) -> tuple[KrausChannel, ...]:
        """What is stated by matrices in a slot, prepared once."""
        key = (number, scale)
        if key not in self._channels:
            joint = self.program.slots[number].joint
            self._channels[key] = tuple(KrausChannel.of(self.program, action, scale) for action in joint)
        return self._channels[key]

    def _meet_channel(self, running: Running, channel: KrausChannel, u: float) -> None:
        """One Kraus operator, drawn by the Born probabilities of the state."""
        self.act(running, channel, channel.pick(running.psi, running.charge, u))

    def act(self, running: Running, channel: KrausChannel, pick: int) -> None:
        """One Kraus operator of a channel."""
        operator = channel.operators[pick]
        dimension = self.program.sectors[moved(running.charge, operator.step)].dimension
        if pick == 0:
            running.act(operator, operator.dagger, dimension, inverse=channel.inverse, smallest=channel.smallest)
        else:
            running.act(operator, operator.dagger, dimension)

    def _meet_site(self, running: Running, site: Site, u: float) -> None:
        """A qubit's relaxation: down, up or no jump, by the Born probabilities of the state."""
        program, transfer, charge = self.program, site.transfer, running.charge
        # Jump probabilities of the channel with Kraus operators sqrt(T01) |0><1|, sqrt(T10) |1><0| and diag(sqrt(T00),
        # sqrt(T11)), in the state as it is; columns of T add up to 1, so the third has what is left.
        whole = kernels.overlap(running.psi[:, 0], running.psi[:, 0])
        nothing = np.zeros(0, dtype=np.int32)
        low, high = program.site_rows(site.qubit, charge) if charge != 0 else (nothing, nothing)
        occupied = kernels.population(running.psi, high) / whole
        down, up = transfer[0, 1] * occupied, transfer[1, 0] * (1 - occupied)
        if u < down:
            below = moved(charge, -1)
            running.jump(high, low, below, program.sectors[below].dimension)
        elif u < down + up:
            above = moved(charge, 1)
            low, high = program.site_rows(site.qubit, above)
            running.jump(low, high, above, program.sectors[above].dimension)
        else:
            empty, filled = np.ones(program.width), np.ones(program.width)
            empty[site.qubit], filled[site.qubit] = np.sqrt(np.diag(transfer))
            running.scale(self.phases(charge).products(_turned(empty), _turned(filled)))

    def reset_pair(self, running: Running, rng: np.random.Generator, qubits: tuple[int, int]) -> None:
        """Two qubits are read in the computational basis and left in a random basis state."""
        program, charge = self.program, running.charge
        nothing = np.zeros(0, dtype=np.int32)

        def row_table(rest: int | None) -> Sequence[RowIndex]:
            inside = rest is None or 0 <= rest <= program.width - 2
            return list(program.local_rows(qubits, rest)) if inside else [nothing] * 4

        # Tr_A(r) (x) 1/4 = sum_ab |a><b| r |b><a| / 4: b is drawn by its population, a uniformly.
        rows = [row_table(moved(charge, -local.bit_count()))[local] for local in range(4)]
        weights = np.array([kernels.population(running.psi, r) for r in rows])
        found = int(rng.choice(4, p=weights / weights.sum()))
        left = int(rng.integers(4))
        rest = moved(charge, -found.bit_count())
        after = moved(rest, left.bit_count())
        running.jump(rows[found], row_table(rest)[left], after, program.sectors[after].dimension)


def _turned(size: Real, angle: Real | float = 0.0) -> Complex:
    return np.asarray(size * np.exp(1j * np.asarray(angle)), dtype=np.complex128)


def _amplitudes(rates: Real, scale: float) -> Real:
    return np.where(rates > 0, _FROZEN, 0.0) if math.isinf(scale) else np.sqrt(scale * rates)
