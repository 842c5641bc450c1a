"""Verdicts beyond the depths that can be done, held against depths whose average is known without sampling."""

import json
import math

import numpy as np
import pytest
from benchmarks.extrapolation import TABLE, coverage, judged
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from typer.testing import CliRunner

import equinoise as eq
from equinoise.diagnosis.beyond import extrapolation
from equinoise.diagnosis.beyond.depth_models import DepthPoint, Size, extrapolated_variance, obstacle
from equinoise.diagnosis.beyond.extrapolation import extrapolate, no_engine_fits
from equinoise.diagnosis.beyond.own_cones import own_cones
from equinoise.diagnosis.repetition import repetition, shortened
from equinoise.engines.replica.average import average


def problem(depth, n=6, noise="dephasing:0.05"):
    return eq.Problem(eq.circuits.brickwork(n, depth=depth), readout=f"Z{n // 2}", initial="neel", noise=noise)


def test_the_truth_lies_in_nine_of_ten_intervals_and_no_verdict_is_wrong():
    found = judged(json.loads(TABLE.read_text()))
    assert len(found) > 200
    for curve in ("noiseless", "noisy"):
        assert coverage(found, curve) >= 0.9
    assert not [one for one in found if one.wrong]
    assert any(one.word == "below" for one in found)
    assert any(one.word == "above" for one in found)


def points(values, depths=(5, 6, 7, 8)):
    return [
        DepthPoint(Size(d, 2 * d, 2 * d * d), v * 2 * d * d, v * d * d) for d, v in zip(depths, values, strict=True)
    ]


def test_an_exponential_and_a_power_of_the_depth_lie_in_the_interval_of_their_own_continuation():
    asked = Size(20, 40, 800)
    for law in (lambda d: math.exp(-0.3 * d), lambda d: d**-3.0):
        (low, high), _ = extrapolated_variance(points([law(d) for d in (5, 6, 7, 8)]), asked)
        assert low < 800 * law(20) < high


def test_stronger_noise_beyond_lowers_the_lower_end_and_weaker_noise_raises_the_upper_one():
    done = [
        DepthPoint(Size(d, 2 * d, 2 * d * d, 0.1), d * d * math.exp(-0.2 * d), d * d * math.exp(-0.4 * d))
        for d in (5, 6, 7, 8)
    ]
    like, more, less = (extrapolated_variance(done, Size(16, 32, 512, rate))[1] for rate in (0.1, 0.2, 0.05))
    assert more[0] < like[0]
    assert more[1] == pytest.approx(like[1])
    assert less[1] > like[1]
    assert less[0] == pytest.approx(like[0])


@pytest.mark.parametrize(
    ("values", "depth", "reason"),
    [((1, 0.8, 0.6, 0.5), 33, "more than 4 times"), ((1, 1.1, 1.2, 1.5), 20, "still rises"), ((), 20, "only 0 depths")],
)
def test_depths_that_say_nothing_are_told(values, depth, reason):
    found = points(values) if values else []
    assert reason in obstacle(found, Size(depth, 2 * depth, 100))


def test_a_shortened_circuit_ends_as_the_whole_one_did_and_is_read_as_it_was():
    whole = problem(7, noise=eq.NoiseModel.from_string("dephasing:0.05"))
    cut = shortened(whole, 4, repetition(whole))
    assert [b.qubits for b in cut.layers[-1].blocks] == [b.qubits for b in whole.layers[-1].blocks]
    assert {p.name for p in cut.parameters} < {p.name for p in whole.parameters}
    even = shortened(problem(8), 4, repetition(problem(8)))
    assert np.allclose(average(even).variance, average(problem(4)).variance, rtol=1e-10)


def test_the_answer_holds_the_average_and_says_where_it_is_from():
    deep = problem(13)
    found = extrapolate(deep)
    known = average(deep, (0.0, 1.0)).variance
    assert [p.size.depth for p in found.points] == [6, 8, 9, 10, 12]
    assert found.noiseless[0] <= known[0] <= found.noiseless[1]
    assert found.noisy[0] <= known[1] <= found.noisy[1]
    assert "(extrapolated)" in str(found)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["depths_done"][0]["size"]["depth"] == 6


def test_other_angles_than_uniform_are_refused():
    with pytest.raises(eq.EquinoiseError, match="only uniform angles are extrapolated"):
        extrapolate(problem(9), sampling=eq.Sampling(ensemble="normal:0.1"))


def test_parameters_with_a_small_cone_of_their_own_bound_the_variance_from_below():
    # the gates on qubits 4 and 5 are seen by Z4 alone, whose cone is a pair; Z1 sees five layers of the other four
    circuit = QuantumCircuit(6)
    circuit.compose(eq.circuits.brickwork(4, depth=5), [0, 1, 2, 3], inplace=True)
    pair = eq.circuits.brickwork(2, depth=1)
    further = [Parameter(f"further{i}") for i in range(pair.num_parameters)]
    circuit.compose(pair.assign_parameters(further), [4, 5], inplace=True)
    asked = eq.Problem(circuit, "Z1+Z4", initial="neel", noise="dephasing:0.05")
    bound = own_cones(asked, 1.0, 0.5, eq.Sampling(samples=64))
    exact = eq.gradient_variance(asked, [0, 1], sampling=eq.Sampling(samples=64))
    assert 0 < bound.noiseless <= exact.variance[0]
    assert 0 < bound.noisy <= exact.variance[1]


def test_layers_that_share_parameters_are_bounded_from_below_and_never_continued():
    circuit = eq.circuits.brickwork(6, 8)
    tied = circuit.assign_parameters([Parameter("t")] * circuit.num_parameters)
    found = extrapolate(eq.Problem(tied, "Z3", initial="neel", noise="dephasing:0.05"))
    assert found.verdict.word == "undecided"
    assert "lower bound" in str(found)
    assert not found.points
    # an open end is no number in JSON
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["noisy"]["variance"] == [0.0, None]


def test_the_command_answers_where_no_engine_fits(monkeypatch):
    from equinoise.cli.main import app

    monkeypatch.setattr(extrapolation, "no_engine_fits", lambda _: True)
    done = CliRunner().invoke(
        app, ["diagnose", "brickwork:n=6,depth=13", "--readout", "Z3", "--noise", "dephasing:0.05"]
    )
    assert done.exit_code == 0, done.output
    assert "(extrapolated)" in done.output


def test_an_engine_fits_a_narrow_circuit():
    assert not no_engine_fits(problem(4))
