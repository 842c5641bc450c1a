"""Draws until decided: what ends them, that they repeat, what a limit leaves open, and Ctrl-C."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import equinoise as eq
from equinoise.diagnosis.diagnose import Interrupted
from equinoise.diagnosis.drawing import draw_cost
from equinoise.diagnosis.stopping import CONFIDENCE, Plan, Watch
from equinoise.diagnosis.verdict import decide
from equinoise.errors import ParameterError


def _problem(noise: object = "relaxation:0.02", depth: int = 3) -> eq.Problem:
    return eq.Problem(eq.circuits.brickwork(5, depth=depth), "Z2", "neel", noise)


def _numbers(found: eq.Diagnosis) -> tuple[float, ...]:
    simulated, law = found.simulated, found.law
    return (simulated.survival, *simulated.interval, law.kappa, law.variance, found.resources.resolved_rms)


def test_draws_end_when_the_verdict_is_decided_and_the_survival_known():
    found = eq.diagnose(_problem(), depth=False)
    assert found.stopping.reason == "decided"
    assert found.stopping.open == ()
    assert found.stopping.half_width <= max(0.02 * found.simulated.survival, 0.005)
    assert found.verdict.word == "trainable"
    assert found.record["stopping.reason"] == "decided"


def test_trajectories_reach_the_precision_asked_for():
    sampling = eq.Sampling(precision=0.02, engine="trajectories", seconds=math.inf)
    found = eq.diagnose(_problem("relaxation:0.03"), sampling=sampling, depth=False, curve=False)
    assert found.stopping.reason == "decided"
    assert found.samples >= 128
    assert found.stopping.looks >= 1
    assert found.stopping.half_width <= max(0.02 * found.simulated.survival, 0.005)


def test_engine_and_draws_of_the_record_repeat_it_whatever_the_workers():
    problem, sampling = _problem("relaxation:0.03"), eq.Sampling(engine="trajectories", seed=4, workers=1)
    asked = replace(sampling, precision=0.03, seconds=math.inf)
    one, several = (
        eq.diagnose(problem, sampling=each, depth=False, curve=False) for each in (asked, replace(asked, workers=3))
    )
    stated = eq.diagnose(problem, sampling=replace(sampling, samples=one.samples), depth=False, curve=False)
    assert one.samples == several.samples > 32
    assert _numbers(one) == _numbers(several) == _numbers(stated)


def test_a_limit_says_what_is_still_open():
    sampling = eq.Sampling(precision=0.001, samples=40, engine="trajectories")
    found = eq.diagnose(_problem("relaxation:0.03"), sampling=sampling, depth=False, curve=False)
    assert found.samples == 40
    assert found.stopping.reason == "samples"
    assert found.stopping.open == ("the survival to 0.1 %",)
    assert "all draws that were allowed are taken; still open: the survival to 0.1 %" in found.warnings[0]


def test_a_time_limit_is_a_number_of_draws_by_the_declared_times():
    problem = _problem("dephasing:0.3")
    cost = draw_cost(problem, "trajectories", 4)
    sampling = eq.Sampling(precision=1e-4, seconds=50 * cost, engine="trajectories")
    found = eq.diagnose(problem, sampling=sampling, depth=False, curve=True)
    assert found.stopping.reason in ("seconds", "clock")  # a busy machine may be later than one and a half times that
    if found.stopping.reason == "seconds":
        assert found.samples == Plan(1e-4, 50 * cost, None).most(cost) == 60


def test_stated_samples_are_all_taken():
    found = eq.diagnose(_problem(), sampling=eq.Sampling(samples=8), depth=False)
    assert (found.samples, found.stopping.reason, found.stopping.looks) == (8, "stated", 1)


def test_all_looks_together_have_the_confidence_of_the_verdict():
    spent = [(1 - CONFIDENCE) / (k * (k + 1)) for k in range(1, 10_000)]
    assert math.isclose(sum(spent), 1 - CONFIDENCE, rel_tol=1e-3)


def test_later_looks_never_forget_what_earlier_ones_knew():
    plan = Plan(0.02, math.inf, None)
    seen: list[dict[str, tuple[float, float]]] = []
    watch = Watch(plan, lambda averages, ends: seen.append(dict(ends)) or "undecided")

    class Columns:
        vanishes = False

        def __init__(self, low: float, high: float) -> None:
            self.ends = (low, high)

        def rms_interval(self, name: str, confidence: float) -> tuple[float, float]:
            return self.ends

        @property
        def paired(self) -> Columns:
            return self

        def ratio(self, *names: str, confidence: float) -> Columns:
            return self

        def direction(self, *, confidence: float) -> Columns:
            return self

        @property
        def interval(self) -> tuple[float, float]:
            return self.ends

        def simulation(self) -> Columns:
            return self

        survival = 1.0

    for low, high in ((0.0, 1.0), (0.2, 1.5), (0.1, 0.8)):
        watch.look(Columns(low, high))
    assert [ends["read"] for ends in seen] == [(0.0, 1.0), (0.2, 1.0), (0.2, 0.8)]


def test_ctrl_c_leaves_the_diagnosis_of_the_draws_so_far():
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "draws" and done == 20:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        eq.diagnose(_problem(), progress=stop)
    found = caught.value.diagnosis
    assert found.samples == 20
    assert found.stopping.reason == "interrupted"
    assert found.resources.greatest_depth is None
    assert math.isfinite(found.simulated.survival)


def test_an_unknown_share_of_fixed_points_blocks_no_verdict_and_is_said():
    verdict = decide((0.1, 0.2), (0.1, 0.2), 0.01, (-math.inf, math.inf), "classical", 1000)
    assert verdict.word == "trainable"
    assert "whether a classical process has it too is unknown" in verdict.reason


def test_other_questions_refuse_a_precision_of_the_survival():
    with pytest.raises(ParameterError, match="precision and seconds are for diagnoses"):
        eq.law(_problem(), sampling=eq.Sampling(precision=0.01))


@pytest.mark.parametrize("name", ["precision", "seconds"])
def test_a_precision_or_time_below_zero_is_refused(name: str):
    with pytest.raises(ParameterError, match=f"{name} must be a number > 0"):
        eq.Sampling(**{name: -1.0})


@pytest.mark.slow
def test_the_engine_is_the_one_that_gets_to_the_precision_soonest():
    problem = eq.Problem(eq.circuits.brickwork(10, depth=5), "Z5", "neel", "ibm:torino")
    found = eq.diagnose(problem, depth=False)
    assert found.engine == "trajectories"  # an exact draw is exact, and takes half a minute for what they do in seconds
    assert "soonest" in found.engine_reason
    assert eq.diagnose(_problem(), depth=False).engine == "exact"
