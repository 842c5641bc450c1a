"""Trajectories split by their first event: unbiased for every kind of noise, and no trap where events are rare."""

from __future__ import annotations

import math

import numpy as np
import pytest

import equinoise as eq
from equinoise.engines.draws import draw_generator
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.vectors.trajectories import TrajectoryEngine
from equinoise.reduction.program import compile_problem

SIGMAS = 4.0
HOP = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
NOISES = {
    "turns by Z": "dephasing:0.1",
    "collective phases": "collective:0.05",
    "up and down": "relaxation:down=0.1,up=0.03",
    "depolarizing": "depolarizing:0.08",
    "pairs": {
        "depolarizing": [{"qubits": [1, 2], "rate": 0.2}],
        "dephasing": [{"rate": 0.05, "weights": {0: 1, 3: -1}}],
    },
    "products": {"pauli": [{"pauli": "Z0Z2", "rate": 0.1}]},
    "flips": {"pauli": [{"pauli": "X2", "rate": 0.08}, {"pauli": "Y0Z1", "rate": 0.05}]},
    "jumps and decay": {
        "jump": [{"qubits": [1, 2], "matrix": HOP, "rate": 0.3}],
        "relaxation": 0.05,
        "dephasing": 0.02,
    },
}


def _engines(noise: object, initial: object = "neel", **options: object) -> tuple[TrajectoryEngine, ExactEngine]:
    problem = eq.Problem(eq.circuits.brickwork(4, depth=3), "Z2", initial, noise, **options)
    program = compile_problem(problem)
    return TrajectoryEngine(program), ExactEngine(program)


def _thetas(engine: TrajectoryEngine, count: int) -> np.ndarray:
    return np.random.default_rng(2).uniform(-3, 3, (count, len(engine.program.problem.parameters)))


def _assert_unbiased(engine: TrajectoryEngine, exact: ExactEngine, scale: float, count: int) -> None:
    """sum g^2, C^2 and <O^2> differ from the exact ones at the same angles by their own error bars at most."""
    apart = []
    for i, theta in enumerate(_thetas(engine, count)):
        found, true = engine.noisy(theta, [scale], draw_generator(3, i))[0], exact.draw(theta, scale)
        wanted = ((true.gradient**2).sum(), true.value**2, true.square)
        apart.append(np.subtract((found.gradient_square.sum(), found.value_square, found.square), wanted))
    error = np.std(apart, axis=0, ddof=1) / math.sqrt(count)
    assert np.all(np.abs(np.mean(apart, axis=0)) < SIGMAS * error + 1e-10)


@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize("kind", NOISES)
def test_squares_are_unbiased_for_every_kind_of_noise(kind: str, scale: float) -> None:
    _assert_unbiased(*_engines(NOISES[kind], allow_broken=kind == "flips"), scale, 150)


def test_a_mixed_input_is_unbiased() -> None:
    angles = np.linspace(0.3, 1.2, 4)
    product = np.stack([np.cos(angles), np.exp(0.4j) * np.sin(angles)], axis=1)
    _assert_unbiased(*_engines("dephasing:0.1+relaxation:0.05", product), 1.0, 150)


def test_random_phases_and_events_together_are_unbiased() -> None:
    # slow phases have no exact engine; at a rate of 0 they leave plain events
    slow = {"dephasing": [{"rate": 0.1, "weights": "each", "correlation": 3.0}], "relaxation": 0.1}
    problem = eq.Problem(eq.circuits.brickwork(4, depth=3), "Z2", "neel", slow)
    engine = TrajectoryEngine(compile_problem(problem))
    apart = []
    for i, theta in enumerate(_thetas(engine, 300)):
        one, two = (engine.draw(theta, 1.0, np.random.default_rng([i, j])) for j in range(2))
        apart.append(engine.noisy(theta, [1.0], draw_generator(3, i))[0].gradient_square.sum())
        apart[-1] -= float((one.gradient * two.gradient).sum())
    assert abs(np.mean(apart)) < SIGMAS * np.std(apart, ddof=1) / math.sqrt(len(apart))


def test_error_bars_are_honest_where_events_are_rare() -> None:
    # a jump in one of 200 trajectories: plain ones see none in 32 draws more often than not, and no scatter at all
    engine, exact = _engines("relaxation:0.0005")
    theta = _thetas(engine, 1)[0]
    noiseless, wanted = (float((exact.draw(theta, s).gradient ** 2).sum()) for s in (0.0, 1.0))
    found = np.array([engine.noisy(theta, [1.0], draw_generator(3, i))[0].gradient_square.sum() for i in range(32)])
    error = found.std(ddof=1) / math.sqrt(len(found))
    assert 0 < error < 0.5 * abs(noiseless - wanted)  # the loss itself is resolved
    assert abs(found.mean() - wanted) < SIGMAS * error


def test_no_noise_in_the_cone_is_exact() -> None:
    engine, exact = _engines({"dephasing": [{"rate": 0.0, "weights": "each"}]})
    theta = _thetas(engine, 1)[0]
    (found,) = engine.noisy(theta, [1.0], draw_generator(3, 0))
    np.testing.assert_allclose(found.gradient_square, exact.draw(theta, 0.0).gradient ** 2, atol=1e-12)


def test_turns_leave_of_a_coherence_what_the_channel_leaves() -> None:
    # no event keeps (1 - p) sqrt(T00 T11) of |0><1|, a turn by Z takes p sqrt(T00 T11): together exp(-s decay)
    engine, _ = _engines("relaxation:down=0.1,up=0.03+depolarizing:0.08")
    (group,) = engine.split.slot_events(0, 2.0)
    assert len(group.events) >= 2
    for event, site in zip(group.events, engine.sites(0, 2.0), strict=True):
        kept = math.sqrt(site.transfer[0, 0] * site.transfer[1, 1])
        left = 2 * math.sqrt(event.nothing[0] * event.nothing[1]) - kept
        assert math.isclose(left, math.exp(-2.0 * (0.13 / 2 + 0.08)), rel_tol=1e-12)
