"""One value says how a question samples: checked when it is made, completed by the question, the same everywhere."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Annotated

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import equinoise as eq
from equinoise.cli.option_groups import grouped
from equinoise.cli.sampling_options import SamplingOptions
from equinoise.errors import ParameterError, UnsupportedError
from equinoise.mitigation.decoupling.shared_paths import compare_paths

PROBLEM = eq.Problem(eq.circuits.brickwork(4, depth=2), "Z2", "neel", "dephasing:0.05")


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        ({"samples": 0}, "samples must be a whole number >= 1, got 0"),
        ({"samples": 2.0}, "samples must be a whole number >= 1, got 2.0"),
        ({"samples": True}, "samples must be a whole number >= 1, got True"),
        ({"samples": 10**9}, "samples must be at most 1,000,000"),
        ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
        ({"seed": None}, "seed must be a whole number >= 0, got None"),
        ({"workers": 0}, "workers must be a whole number >= 1, got 0"),
        ({"workers": 10**6}, "workers must be at most 4096"),
        ({"engine": 3}, "engine must be 'auto' or an engine's name, got 3"),
        ({"ensemble": "normal:-1"}, "cannot read the ensemble 'normal:-1'"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_made(stated, text):
    with pytest.raises(ParameterError, match=text):
        eq.Sampling(**stated)


def test_it_is_frozen_and_pickles():
    sampling = eq.Sampling(8, 3, 2, "exact", "normal:0.1")
    assert pickle.loads(pickle.dumps(sampling)) == sampling
    with pytest.raises(FrozenInstanceError):
        sampling.seed = 4


def test_a_question_puts_in_its_own_number_of_draws_and_leaves_a_stated_one():
    assert eq.Sampling.of(None, samples=32) == eq.Sampling(samples=32)
    assert eq.Sampling.of(eq.Sampling(seed=5), samples=32) == eq.Sampling(samples=32, seed=5)
    assert eq.Sampling.of(eq.Sampling(samples=7), samples=32).count == 7
    assert eq.law(PROBLEM).samples == 128
    assert eq.aligned_rates(PROBLEM).samples == 32
    with pytest.raises(ParameterError, match=r"sampling must be a Sampling, such as eq.Sampling\(samples=64\); got 40"):
        eq.law(PROBLEM, sampling=40)
    with pytest.raises(ParameterError, match="samples is not stated here"):
        eq.Sampling().draw(PROBLEM)


def test_draws_are_the_ensembles_and_given_values_have_no_seed():
    drawn = eq.Sampling(samples=5, seed=2, ensemble="normal:0.3")
    assert np.array_equal(drawn.draw(PROBLEM), eq.Ensemble("normal", 0.3).draw(PROBLEM, 5, 2))
    assert (drawn.given, drawn.drawn_seed) == (False, 2)
    given = replace(drawn, ensemble=np.zeros((3, len(PROBLEM.parameters))))
    assert given.draw(PROBLEM).shape == (3, len(PROBLEM.parameters))
    assert (given.given, given.drawn_seed) == (True, None)


@pytest.mark.parametrize(
    "ask",
    [
        lambda sampling: eq.aligned_rates(PROBLEM, sampling=sampling),
        lambda sampling: eq.advise(PROBLEM, sampling=sampling),
        lambda sampling: eq.mitigation.verified_law(PROBLEM, sampling=sampling),
        lambda sampling: compare_paths(None, sampling=sampling),
    ],
)
def test_a_question_that_cannot_follow_an_engines_name_says_so(ask):
    with pytest.raises(UnsupportedError, match="takes no engine 'trajectories'"):
        ask(eq.Sampling(engine="trajectories"))


def test_a_group_of_options_stands_in_a_command_for_its_fields():
    seen = []

    @grouped
    def command(sampling: SamplingOptions, least: Annotated[int, typer.Option()] = 1) -> None:
        seen.append((sampling.sampling(), least))

    app = typer.Typer()
    app.command()(command)
    stated = ["--samples", "4", "--seed", "2", "--ensemble", "normal:0.2", "--engine", "exact", "--least", "3"]
    assert CliRunner().invoke(app, stated).exit_code == 0
    assert CliRunner().invoke(app, []).exit_code == 0
    assert seen == [(eq.Sampling(4, 2, None, "exact", "normal:0.2"), 3), (eq.Sampling(), 1)]
