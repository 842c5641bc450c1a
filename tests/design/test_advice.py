"""What would help most: each gain against its own calculation, and what is refused or left out."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from qiskit.providers.fake_provider import GenericBackendV2

import equinoise as eq
from equinoise.design.changes import better_calibration, elsewhere_read, needed_parameters
from equinoise.engines.draws import draw_generator
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.select import select_engine
from equinoise.reduction.shift_rules import shift_costs, shift_evaluations

LINE = [[q, q + 1] for q in range(5)]


def noisy_half(**options):
    """Six qubits of which the first three dephase and relax."""
    noise = eq.NoiseModel(
        dephasing=[{"rate": 0.15, "weights": {q: 1.0}} for q in range(3)],
        relaxation=[{"qubit": q, "down": 0.1} for q in range(3)],
        readout_error={1: (0.05, 0.1)},
    )
    return eq.Problem(eq.circuits.brickwork(6, depth=3), readout="Z1", initial="neel", noise=noise, **options)


def score(problem, samples, seed=0):
    """Signal-to-noise ratio of one shot from public gradients, and the variance of the shots of the same draws."""
    found = eq.gradient_variance(problem.as_read(), [1.0], sampling=eq.Sampling(samples=samples, seed=seed))
    thetas = eq.Ensemble().draw(problem, samples, seed)
    engine = select_engine(problem)
    measured = MeasuredReadout(engine)
    streams = [int(draw_generator(seed, number).integers(2**63)) for number in range(samples)]
    variance = np.mean([measured.variance(theta, 1.0, s) for theta, s in zip(thetas, streams, strict=True)])
    return math.sqrt(found.variance[0] / (shift_costs(engine.program).total * variance))


def one(advice, kind):
    return next(s for s in (*advice.suggestions, *advice.useless) if s.kind == kind)


def test_reading_the_quiet_half_gains_what_both_readouts_simulated_apart_say():
    problem = noisy_half()
    advice = eq.advise(problem, sampling=eq.Sampling(samples=6, seed=3))
    found = one(advice, "readout")
    assert found.change == "read Z4 instead of Z1" or found.change.startswith("read Z")
    other = problem.with_readout(found.change.split()[1])
    expected = score(other, 6, 3) / score(problem, 6, 3)
    assert found.simulated == pytest.approx(expected, rel=1e-9)
    assert found.gain > 1.2
    assert found.shots == pytest.approx(found.gain**-2)
    assert found.interval[0] < found.simulated < found.interval[1]


def test_a_better_qubit_is_predicted_by_its_share_of_kappa_and_simulated_at_half_its_rates():
    problem = noisy_half()
    advice = eq.advise(problem, sampling=eq.Sampling(samples=6, seed=1))
    found = [s for s in (*advice.suggestions, *advice.useless) if s.kind == "calibration"]
    assert {s.change.split(" of ")[0] for s in found} <= {"half the dephasing", "half the relaxation"}
    best = found[0]
    qubit = int(best.change.split(" of qubit ")[1].split()[0])
    kind = best.change.split()[2]
    weaker = problem.noise.to_dict()
    for entry in weaker[kind]:
        mine = entry["weights"] == {str(qubit): 1.0} if kind == "dephasing" else entry["qubit"] == qubit
        for name in ("rate", "down"):
            if mine and name in entry:
                entry[name] /= 2
    changed = problem.with_noise(eq.NoiseModel.from_dict(weaker))
    assert best.simulated == pytest.approx(score(changed, 6, 1) / score(problem, 6, 1), rel=1e-9)
    # the law's leading order, with kappa from few draws, against the simulation
    assert best.predicted == pytest.approx(best.simulated, rel=0.15)


def test_prediction_of_a_better_qubit_is_exp_of_half_its_kappa():
    problem = noisy_half()
    budget = eq.law(problem, sampling=eq.Sampling(samples=8)).budget
    (first, *_) = better_calibration(problem, budget, 2.0, 3)
    groups = {}
    for entry in budget:
        key = (entry.mechanism, entry.qubits)
        groups[key] = groups.get(key, 0.0) + entry.kappa
    assert first.predicted == pytest.approx(math.exp(2.0 * max(groups.values()) / 2), rel=1e-12)


def test_collective_noise_on_many_qubits_blames_no_single_one():
    problem = noisy_half().with_noise("collective:0.1+relaxation:0.05")
    budget = eq.law(problem, sampling=eq.Sampling(samples=4)).budget
    assert all("relaxation" in other.change for other in better_calibration(problem, budget, 1.0, 9))


def test_shots_go_to_the_parameters_that_hold_the_gradient():
    problem = eq.Problem(eq.circuits.brickwork(8, depth=2), readout="Z0", initial="neel", noise="dephasing:0.05")
    advice = eq.advise(problem, sampling=eq.Sampling(samples=8))
    found = one(advice, "shots")
    squares = eq.gradient_variance(problem, [1.0], sampling=eq.Sampling(samples=8)).per_parameter[0]
    worth, share = needed_parameters(squares)
    needed, taken = np.count_nonzero(worth), shift_evaluations(problem)
    assert needed < np.count_nonzero(squares) + 1
    # evaluations are what shots are spent on: four for XX+YY, two for RZ and RZZ
    assert set(taken.tolist()) == {2, 4}
    assert found.gain == pytest.approx(math.sqrt(share * taken.sum() / taken[worth].sum()), rel=1e-9)
    assert f"no shots on {squares.size - needed} of {squares.size} parameters" in found.change


def test_fewest_parameters_that_hold_the_gradient_are_counted():
    worth, share = needed_parameters(np.array([98.0, 0.5, 1.5]))
    assert (worth.tolist(), share) == ([True, False, True], pytest.approx(0.995))
    worth, share = needed_parameters(np.zeros(3))
    assert (worth.tolist(), share) == ([True] * 3, 1.0)


def test_depth_is_left_out_where_nothing_repeats_and_layout_without_a_device():
    circuit = eq.circuits.brickwork(4, depth=1)
    advice = eq.advise(
        eq.Problem(circuit, readout="Z1", initial="neel", noise="dephasing:0.1"), sampling=eq.Sampling(samples=4)
    )
    reasons = dict(advice.left_out)
    assert "do not repeat" in reasons["depth"]
    assert "no layout to choose" in reasons["layout"]


def test_a_device_gets_layout_advice_and_a_bad_layout_is_mended():
    backend = GenericBackendV2(6, coupling_map=LINE, seed=11)
    circuit = eq.circuits.brickwork(3, depth=4)
    worst = max(
        (
            eq.Problem(circuit, "Z1", noise=eq.NoiseModel.from_backend(backend, layout=[a, a + 1, a + 2]))
            for a in range(4)
        ),
        key=lambda problem: eq.law(problem, sampling=eq.Sampling(samples=4)).kappa,
    )
    advice = eq.advise(worst, sampling=eq.Sampling(samples=6))
    found = one(advice, "layout")
    assert found.simulated is not None
    assert found.gain > 1
    layout = [int(q) for q in found.change.removeprefix("layout ").split(" on ")[0].split(",")]
    there = eq.Problem(circuit, "Z1", noise=eq.NoiseModel.from_backend(backend, layout=layout))
    assert found.simulated == pytest.approx(score(there, 6) / score(worst, 6), rel=1e-9)


def test_same_numbers_whatever_the_number_of_workers():
    problem = noisy_half()
    alone, together = (eq.advise(problem, sampling=eq.Sampling(samples=4, seed=5, workers=w)).to_dict() for w in (1, 2))
    assert json.dumps(alone) == json.dumps(together)


def test_readouts_stay_on_the_register():
    problem = noisy_half().with_readout("X3X4+Y3Y4")
    labels = [other.build().readout_label for other in elsewhere_read(problem, 99)]
    assert len(labels) == 4
    assert all(eq.Problem(problem.circuit, label).readout_conserves for label in labels)


def test_a_diagnosis_holds_the_suggestions_before_kappas_budget_the_same_model_first():
    problem = noisy_half()
    diagnosis = eq.diagnose(problem, sampling=eq.Sampling(samples=4), depth=False, curve=False)
    budget, found = diagnosis.advice, eq.advise(problem)
    diagnosis = diagnosis.with_advice(found)
    assert diagnosis.advice == (*found.texts, *budget)
    same, other = ([one for one in found.suggestions if one.same_model is kept] for kept in (True, False))
    assert {one.kind for one in other} <= {"readout", "depth"}
    assert not {one.kind for one in same} & {"readout", "depth"}
    assert same
    assert other
    assert found.texts == (*(one.text for one in same), *(f"another model: {one.text}" for one in other))
    assert [one["same_model"] for one in found.to_dict()["suggestions"]] == [x.same_model for x in found.suggestions]
    assert diagnosis.to_dict()["suggestions"]["suggestions"][0]["kind"] == diagnosis.suggestions.suggestions[0].kind
    plain = eq.diagnose(problem, sampling=eq.Sampling(samples=4), depth=False, curve=False)
    assert plain.suggestions is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sampling": {"samples": 1}}, "must be at least 2, got 1 and 8"),
        ({"sampling": {"seed": -1}}, "seed must be a whole number >= 0, got -1"),
        ({"sampling": {"ensemble": np.zeros((3, 15))}}, "give the ensemble 'uniform'"),
        ({"sampling": {"engine": "exact"}}, "advise takes no engine 'exact'"),
        ({"scale": -1.0}, "noise scale must be a number >= 0"),
    ],
)
def test_bad_options_are_explained(options, text):
    with pytest.raises(eq.EquinoiseError, match=text):
        eq.advise(noisy_half(), **options | {"sampling": eq.Sampling(**options.get("sampling", {}))})


def test_two_draws_whose_sampled_kappa_is_far_below_zero_still_give_finite_advice():
    """Strong dephasing at s = 20: exp(-s kappa) of these two draws is beyond what a float holds."""
    problem = eq.Problem(eq.circuits.brickwork(5, depth=4), readout="Z2", initial="neel", noise="dephasing:20")
    advice = eq.advise(problem, 20.0, sampling=eq.Sampling(samples=2, seed=17), first_samples=2)
    assert all(math.isfinite(one.predicted) for one in (*advice.suggestions, *advice.useless))


def test_a_circuit_without_parameters_has_nothing_to_improve():
    circuit = eq.circuits.brickwork(3, depth=2)
    bound = circuit.assign_parameters(np.full(circuit.num_parameters, 0.3))
    with pytest.raises(eq.EquinoiseError, match="no parameters"):
        eq.advise(eq.Problem(bound, readout="Z1", initial="neel", noise="dephasing:0.1"))


def test_verification_gains_the_root_of_the_shots_that_the_verified_law_saves():
    problem = eq.Problem(eq.circuits.brickwork(5, depth=5), readout="Z2", initial="00100", noise="depolarizing:0.05")
    advice = eq.advise(problem, sampling=eq.Sampling(samples=6, seed=2))
    found = one(advice, "verification")
    law = eq.mitigation.verified_law(problem, sampling=eq.Sampling(samples=6, seed=2))
    assert found.simulated == pytest.approx(math.sqrt(law.gain), rel=1e-9)
    assert f"({100 * law.kept:.3g} % of them)" in found.change
    assert found.simulated > 1


def test_dephasing_inside_a_sector_makes_verification_useless_and_white_noise_decoupling():
    problem = eq.Problem(eq.circuits.brickwork(4, depth=4), readout="Z1", initial="neel", noise="dephasing:0.05")
    advice = eq.advise(problem, sampling=eq.Sampling(samples=4))
    found = next(s for s in advice.useless if s.kind == "verification")
    assert found.gain == 1.0
    assert "verification does nothing here" in found.note
    assert "white noise leaves nothing to gain" in dict(advice.left_out)["decoupling"]


def test_verification_of_a_register_that_no_engine_holds_is_left_out():
    problem = eq.Problem(eq.circuits.brickwork(40, depth=2), readout="Z20", initial="neel", noise="relaxation:0.02")
    advice = eq.advise(problem, sampling=eq.Sampling(samples=2), first_samples=2)
    assert "post-selection sees all 40 qubits" in dict(advice.left_out)["verification"]


def test_pulses_against_static_phases_of_an_idle_qubit_help_by_what_its_phases_cost():
    """Qubit 0 waits in every other layer; between its gates a static phase is echoed away."""
    static = {"rate": 0.3, "weights": {0: 1.0}, "correlation": "static"}
    noise = eq.NoiseModel(dephasing=[static])
    problem = eq.Problem(eq.circuits.brickwork(4, depth=5), readout="X0X1+Y0Y1", initial="neel", noise=noise)
    advice = eq.advise(problem, sampling=eq.Sampling(samples=64, seed=1))
    found = one(advice, "decoupling")
    assert found.change.startswith("XY4 on idle qubits")
    assert found.predicted > 1.01
    # trajectories: the interval is wide, but does not exclude a gain
    assert found.interval[1] > 1


def test_changes_that_leave_less_of_a_symmetry_are_left_out():
    readout = "+".join(f"Z{q}" for q in range(4))
    circuit = eq.circuits.permutation_equivariant(4, 2)
    problem = eq.Problem(circuit, readout, "0000", "relaxation:0.1", symmetry="permutation")
    advice = eq.advise(problem, sampling=eq.Sampling(samples=4), first_samples=4)
    left = [text for kind, text in advice.left_out if "leaves permutation:1-3 of permutation" in text]
    assert len(left) == 1
    assert "half the relaxation of qubit 0" in left[0]
