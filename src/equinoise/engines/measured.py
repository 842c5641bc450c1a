"""A readout as it is really measured: gradients as read, and the variance of shots where they are taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.engines.contract import Engine
from equinoise.engines.draws import NoisyDraw
from equinoise.engines.select import declarations, reading_engine, select_engine
from equinoise.errors import EquinoiseError
from equinoise.measurement import Setting, charge_conserving_part, measurement_settings
from equinoise.problem import Problem
from equinoise.readout import commutes_with_charge, support
from equinoise.reduction.program import Program
from equinoise.reduction.shift_rules import shift_costs, shift_points

__all__ = ["MeasuredReadout", "Reading"]

Real = npt.NDArray[np.float64]

# seconds that a gradient without a symmetry other than the charge may take
_AFFORDABLE = 0.05


@dataclass(frozen=True)
class Reading:
    """One draw of the parameters as it is read.

    Attributes:
        gradient_square: g_k^2 with assignment errors, or an unbiased estimate of it, shape (K,).
        variance: Var(O), see :class:`MeasuredReadout`.
    """

    gradient_square: Real
    variance: float


class MeasuredReadout:
    """What the shots of a problem's readout see, draw by draw.

    One expectation value from one shot in each setting g of
    :func:`equinoise.measurement.measurement_settings` has variance sum_g (<square_g> - <mean_g>^2). A shift
    rule takes its shots at shifted angles, one gate at a time: Var(O) is that variance where one gate is shifted, drawn
    with the weight with which it enters the variance of the gradient, so that

        E sum_k Var(g_k) = Var(O)/N x shift_costs(program).total          from N shots an expectation value and setting.

    A symmetry other than the charge cannot shift one gate of many: that is computed without it, and where this takes
    too long Var(O) is taken at the angles themselves.

    The means of all settings add up to the readout as read. Where symmetry makes them alike (XX and YY under the
    charge), each is a known share of it and costs nothing.

    Args:
        chosen: The engine of the problem without assignment errors.
        workers: Draws run at once.
        shifted: Whether Var(O) is taken at shifted angles; if not, at the angles themselves.

    Attributes:
        settings: Number of settings; a projected readout is read together with the charge, in one.
        shift_weight: Variance of a parameter's estimate over Var(O)/N, mean over the cone's parameters.
        evaluations: Expectation values that a gradient takes.
        notes: What is bounded instead of computed, in words.
        warnings: Of the problem as it is read.
    """

    def __init__(self, chosen: Engine, workers: int | None = None, *, shifted: bool = True) -> None:
        program, problem = chosen.program, chosen.program.problem
        self._chosen, self._workers = chosen, workers
        read = problem.as_read()
        self.warnings = read.warnings
        self.notes: tuple[str, ...] = ()
        costs = shift_costs(program)
        self.evaluations = int(costs.evaluations.sum())
        self.shift_weight = costs.total / max(1, len(program.parameters))
        self._gradients = reading_engine(chosen, read, workers)
        self._host = self._shiftable(problem) if shifted else chosen
        source = self._host.program.problem
        self._open = len(source.parameters) - len(problem.parameters)
        self._shifts = shift_points(program) if self._open else ()
        self._weights = np.array([point.weight for point in self._shifts])
        errors = {q: p for q, p in problem.noise.readout_error if any(p) and q in set(support(problem.readout))}
        joint = problem.projected and bool(problem.readout.paulis.x.any())
        found = () if joint else measurement_settings(problem.readout, errors)
        self.settings = max(1, len(found))
        # <O^2> of the ideal readout, which every engine has, is that of one setting without errors, or of one term
        alone = joint or (len(found) == 1 and (not errors or len(problem.readout) == 1))
        self._ideal = self._host if alone else None
        self._second, self._square = (0.0, None) if alone else self._second_moment(source, found)
        self._share, self._constant, self._means = self._mean_squares(source, source.as_read().readout, found)
        self._read = reading_engine(self._host, source.as_read(), workers) if self._share else None

    def _shiftable(self, problem: Problem) -> Engine:
        """An engine that can shift one gate of many, or the chosen one."""
        source = problem.shiftable()
        if problem.by_charge:
            # half of a hop by itself is no hop: free fermions, say, may serve the circuit and not its shifted gates
            serves = any(one.serves for one in declarations(source) if one.engine == self._chosen.name)
            return (
                reading_engine(self._chosen, source, self._workers)
                if serves
                else select_engine(source, workers=self._workers)
            )
        exact = [one for one in declarations(source) if one.serves and one.error == "none"]
        if min((one.seconds for one in exact), default=np.inf) < _AFFORDABLE:
            return select_engine(source, workers=self._workers)
        self.notes += (f"shots are those at the angles themselves: {problem.symmetry} shifts no gate by itself",)
        return self._chosen

    def _second_moment(self, problem: Problem, found: tuple[Setting, ...]) -> tuple[float, Engine | None]:
        """sum_g <square_g> as a number and the engine of what depends on the state."""
        operator = SparsePauliOp.sum([setting.square for setting in found]).simplify(atol=1e-14)
        if not support(operator):
            return float(np.sum(operator.coeffs).real), None
        engine = self._engine_of(problem, self._visible(problem, operator))
        if engine is not None:
            return 0.0, engine
        self.notes += ("the second moment of the readout is out of reach: shots are an upper bound",)
        return sum(float(np.abs(setting.ideal.coeffs).sum()) ** 2 for setting in found), None

    def _mean_squares(
        self, problem: Problem, read: SparsePauliOp, found: tuple[Setting, ...]
    ) -> tuple[float, float, list[Engine]]:
        """The settings' squared means: a share of C_read^2, a number, and the engines of those that are neither."""
        if self.settings == 1:
            return 1.0, 0.0, []
        share, constant, engines = 0.0, 0.0, []
        for setting in found:
            visible = self._visible(problem, setting.mean)
            part = _share_of(visible, read)
            if part is not None:
                share += part**2
            elif not support(visible):
                constant += float(np.sum(visible.coeffs).real) ** 2
            elif (engine := self._engine_of(problem, visible)) is not None:
                engines.append(engine)
            else:
                # sum_g m_g^2 >= (sum_g m_g)^2 / G
                self.notes += ("the means of the settings are out of reach: shots are an upper bound",)
                return 1 / self.settings, 0.0, []
        return share, constant, engines

    def _visible(self, problem: Problem, operator: SparsePauliOp) -> SparsePauliOp:
        """Of an operator what a state without coherence between charges shows, where there is none."""
        program = self._host.program
        in_sectors = isinstance(program, Program) and not program.full
        return charge_conserving_part(operator) if in_sectors and problem.charge is not None else operator

    def _engine_of(self, problem: Problem, operator: SparsePauliOp) -> Engine | None:
        """An engine for another operator of the same state; None where none serves."""
        conserving = problem.readout_conserves and not problem.breaking
        if problem.by_charge and conserving and not commutes_with_charge(operator):
            return None  # it shows coherence between charges, which no sector holds
        try:
            other = problem.reading(operator)
            try:
                return reading_engine(self._host, other, self._workers)
            except EquinoiseError:
                return select_engine(other, workers=self._workers)
        except EquinoiseError:
            return None

    def read(self, theta: Real, scale: float, stream: int, ideal: NoisyDraw) -> Reading:
        """Gradient and variance at one draw of the parameters.

        Args:
            theta: Shape (K,), radians.
            scale: Noise scale s.
            stream: Seed of the trajectories and of the shifted gate.
            ideal: What ``chosen`` answered at this scale from the same seed.
        """
        seen = ideal
        if self._gradients is not self._chosen:
            (seen,) = self._gradients.noisy(theta, [scale], np.random.default_rng(stream))
        return Reading(seen.gradient_square, self.variance(theta, scale, stream))

    def variance(self, theta: Real, scale: float, stream: int) -> float:
        """Var(O) at one draw of the parameters, exact or an unbiased estimate; see :meth:`read`."""
        # The variance of a gradient's estimate is the sum over shift points of weight x Var(O there)/N. So Var(O) at a
        # point drawn with probability weight/total, times total/N, is an unbiased estimate of it.
        rng = np.random.default_rng([stream, len(self._shifts)])
        if self._shifts:
            point = self._shifts[rng.choice(self._weights.size, p=self._weights / self._weights.sum())]
            theta = np.concatenate([theta, np.zeros(self._open)])
            theta[point.rotation - self._open] = point.shift
        seeds = rng.integers(2**63, size=2)

        def moments(engine: Engine) -> tuple[float, float, float]:
            """<A>, <A>^2 and <A^2>: from two trajectories where one is not exact, the same for every operator."""
            if engine.exact or scale == 0:
                value, square = engine.value(theta, scale)
                return value, value**2, square
            (a, c), (b, d) = (engine.value(theta, scale, np.random.default_rng(seed)) for seed in seeds)
            return (a + b) / 2, a * b, (c + d) / 2

        means = self._constant + sum(moments(engine)[1] for engine in self._means)
        if self._read is not None and self._read is self._ideal:
            _, squared, second = moments(self._ideal)
            return second - means - self._share * squared
        second = self._second
        if self._square is not None:
            second += moments(self._square)[0]
        if self._ideal is not None:
            second += moments(self._ideal)[2]
        if self._read is not None:
            means += self._share * moments(self._read)[1]
        return second - means


def _share_of(operator: SparsePauliOp, whole: SparsePauliOp) -> float | None:
    """The x of operator = x whole; None if there is none."""
    size = float(np.sum(np.abs(whole.coeffs) ** 2))
    terms = {pauli: complex(c).real for pauli, c in whole.simplify().to_list()}
    part = sum(terms.get(pauli, 0.0) * complex(c).real for pauli, c in operator.simplify().to_list()) / size
    left = (operator - part * whole).simplify(atol=1e-12)
    return part if float(np.abs(left.coeffs).max(initial=0.0)) < 1e-10 * max(1.0, size**0.5) else None
