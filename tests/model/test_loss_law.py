"""The law of a loss: kappa's two parts and their budgets against differences in the noise scale; published models."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.engines.model_sweeps import ModelSweeps
from model_twin import CIRCUITS, LOSSES, NOISES, ROWS, build, stated

# derivative at 0 from values at 0, h, ..., 6h: error h^6/7 of the seventh derivative
FORWARD = np.array([-49 / 20, 6, -15 / 2, 20 / 3, -15 / 4, 6 / 5, -1 / 6])
H = 0.05


def slopes_in_scale(sweeps, theta, rows):
    """d/ds at 0 of mean sum_c l_c(f(s)) d_k f_c(s): of all, at the slope l_c(f(0)), and at the gradient d_k f(0)."""
    model = sweeps.model
    found = [sweeps.readout_gradients(theta, i * H, rows) for i in range(7)]
    slopes = [model.slopes(f.predictions, rows) for f in found]

    def change(pairs):
        values = [np.einsum("ic,ick->k", s, f.gradients) / len(rows) for s, f in pairs]
        return np.tensordot(FORWARD / H, np.array(values), axes=1)

    whole = change(zip(slopes, found, strict=True))
    return whole, change((slopes[0], f) for f in found), change((s, found[0]) for s in slopes)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("noise", NOISES)
def test_both_parts_of_the_first_order_equal_differences_in_the_noise_scale(noise, loss):
    options, readouts, _ = LOSSES[loss]
    for kind in CIRCUITS:
        model = build(kind, noise, readouts=readouts, **options)
        sweeps, rows = ModelSweeps(model), np.arange(len(ROWS))
        theta = model.draw(1, 3)[0]
        found = sweeps.first_order(theta, rows)
        whole, gradient, residual = slopes_in_scale(sweeps, theta, rows)
        size = np.abs(whole).max()
        np.testing.assert_allclose(found.by_gradient + found.by_residual, whole, rtol=0, atol=1e-6 * size)
        np.testing.assert_allclose(found.by_gradient, gradient, rtol=0, atol=1e-6 * size)
        np.testing.assert_allclose(found.by_residual, residual, rtol=0, atol=1e-6 * size)
        # the budgets are along the gradient, and add up to it
        assert found.gradient_budget.sum() == pytest.approx(found.gradient @ found.by_gradient, abs=1e-12)
        assert found.residual_budget.sum() == pytest.approx(found.gradient @ found.by_residual, abs=1e-12)
        assert found.readout_slopes.shape == (len(readouts), 4)


def test_a_budget_term_is_what_kappa_is_with_that_term_alone():
    options, readouts, _ = LOSSES["cross-entropy"]
    parts = {"dephasing": [{"rate": 0.02, "weights": {0: 1.0, 1: -0.5}}], "relaxation": [{"qubit": 1, "down": 0.03}]}
    models = {}
    for name, noise in {"both": parts, **{k: {k: v} for k, v in parts.items()}}.items():
        circuit, x, _ = stated("re-uploading")
        models[name] = eq.Model(
            circuit, readouts, inputs=x, data=ROWS, initial="010", noise=noise, prior="normal:1", **options
        )
    whole = eq.loss_law(models["both"], sampling=eq.Sampling(samples=6))
    for mechanism in parts:
        alone = eq.loss_law(models[mechanism], sampling=eq.Sampling(samples=6))
        for budget, kappa in (
            (whole.gradient_budget, alone.kappa_gradient.value),
            (whole.residual_budget, alone.kappa_residual.value),
            (whole.budget, alone.kappa),
        ):
            assert sum(e.kappa for e in budget if e.mechanism == mechanism) == pytest.approx(kappa, abs=1e-12)


def test_kappa_is_the_slope_of_the_losss_gradient_over_the_prior():
    options, readouts, _ = LOSSES["logistic"]
    model = build("products of inputs", "relaxation", readouts=readouts, **options)
    found = eq.loss_law(model, scales=[i * H for i in range(7)], sampling=eq.Sampling(samples=5))
    variances = np.array([point.variance for point in found.points])
    assert variances[0] == pytest.approx(found.variance, rel=1e-12)
    assert -FORWARD @ variances / H / 2 / found.variance == pytest.approx(found.kappa, rel=1e-6)
    predictions = np.array([point.prediction_variance for point in found.points])
    slope = -FORWARD @ predictions / H / 2 / found.prediction_variance
    assert slope == pytest.approx(found.prediction_kappa.value, rel=1e-6)
    assert found.points[0].direction.value == pytest.approx(1, abs=1e-12)


def test_a_linear_loss_has_no_residual_part_and_the_kappa_of_its_problem():
    circuit = eq.circuits.brickwork(4, depth=2, shared=True)
    noise = "relaxation:down=0.02,up=0.01"
    model = eq.Model(circuit, "Z1", initial="neel", noise=noise)
    one = eq.loss_law(model, sampling=eq.Sampling(samples=16, seed=3))
    two = eq.law(eq.Problem(circuit, "Z1", "neel", noise), sampling=eq.Sampling(samples=16, seed=3, engine="exact"))
    assert one.kappa_residual.value == 0
    assert one.kappa == pytest.approx(two.kappa, rel=1e-12)
    assert one.kappa_error == pytest.approx(two.kappa_error, rel=1e-9)
    assert one.variance == pytest.approx(two.variance, rel=1e-12)
    assert [e.kappa for e in one.budget] == pytest.approx([e.kappa for e in two.budget], abs=1e-12)
    np.testing.assert_allclose(one.kappa_per_parameter, two.kappa_per_parameter, rtol=1e-9)


def test_no_bound_on_a_loss_is_claimed():
    circuit = eq.circuits.brickwork(4, depth=2, shared=True)
    assert eq.law(
        eq.Problem(circuit, "Z1", "neel", "dephasing:0.1"), sampling=eq.Sampling(samples=4)
    ).bound_status.startswith("n")
    found = eq.loss_law(eq.Model(circuit, "Z1", initial="neel", noise="dephasing:0.1"), sampling=eq.Sampling(samples=4))
    assert found.bound_status.startswith("none: bounds are proved for the gradient of one prediction")


def test_batches_draw_rows_with_the_weights_and_one_of_all_rows_is_no_batch():
    options, readouts, _ = LOSSES["mse"]
    model = build("re-uploading", "dephasing", readouts=readouts, **options)
    every, same = (
        eq.loss_law(model, sampling=eq.Sampling(samples=4)),
        eq.loss_law(model, batch=3, sampling=eq.Sampling(samples=4)),
    )
    assert same.variance == pytest.approx(every.variance, rel=1e-13)
    one = eq.loss_law(model, batch=1, sampling=eq.Sampling(samples=4))
    # E over rows of the square of one row's gradient is at least the square of the mean
    assert one.variance > every.variance
    assert "batches of 1 of 3 rows" in one.approximations[1]
    assert one.variance == eq.loss_law(model, batch=1, sampling=eq.Sampling(samples=4, workers=2)).variance


# -- the authors' model ------------------------------------------------------------------------------------------------

BETAS = np.random.default_rng(42).uniform(-0.5, 0.5, (6, 8))


def published(depth, noise, data=None, **more):
    """design.md, section 5: RZ on every site, then fixed hops on every other edge of a ring of 8; weight (2, 0)."""
    circuit = QuantumCircuit(8)
    theta = ParameterVector("theta", 8 * depth)
    for layer in range(depth):
        for q in range(8):
            circuit.rz(theta[8 * layer + q], q)
        for j in range(layer % 2, 8, 2):
            circuit.append(XXPlusYYGate(4 * BETAS[layer, j]), [j, (j + 1) % 8])
        circuit.barrier(label="layer")
    return eq.Model(
        circuit,
        "Z0",
        initial="00000001",
        noise=noise,
        projected=True,
        prior="uniform:0.05",
        trained=[theta[16]],
        **more,
    )


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        ("dephasing:1", 8),
        ("relaxation:down=1", 3),
        ({"pauli": [{"pauli": f"Z{2 * k}Z{2 * k + 1}", "rate": 1} for k in range(4)]}, 0),
        pytest.param(f"depolarizing:{4 / 3}", 56 / 3, marks=pytest.mark.slow),
        pytest.param({"pauli": [{"pauli": f"X{q}", "rate": 1} for q in range(8)]}, 24, marks=pytest.mark.slow),
    ],
    ids=["dephasing", "damping", "ZZ jumps", "depolarizing", "X errors"],
)
def test_kappa_of_the_authors_active_parameter(noise, expected):
    """Of weight (2, 0) at L = 3, with the other 23 drawn from the same box: per unit of their Kraus strengths."""
    found = eq.loss_law(published(3, noise), scales=[], sampling=eq.Sampling(samples=4))
    assert found.points == ()
    assert found.per_weight.shape == (1,)
    assert found.kappa == pytest.approx(expected, rel=2e-3, abs=1e-9)
    assert found.prediction_kappa.value == pytest.approx(found.kappa, rel=1e-12)


# github.com/ugail/Readout-Visible-Coherence-QNN, phase7_loss_grad.csv, amplitude damping: gamma in each of four layers,
# and V_loss/V_pred of the logistic loss at one parameter
PHASE_7 = {
    0.0025: 0.0761295699,
    0.0075: 0.0782702197,
    0.0125: 0.0804259159,
    0.025: 0.0858727804,
    0.05: 0.0969471830,
    0.075: 0.1081131155,
}


def test_the_published_ratio_of_loss_to_prediction_gradients_under_damping():
    """Their student's circuit is not told, but of one excitation damping leaves (1 - gamma)^4 of any readout P Z P.

    So with z scaled to their first row's prediction all rows follow: the loss's gradient dies more slowly than the
    prediction's, for its slope grows.
    """
    clean = math.log(1 / math.sqrt(PHASE_7[0.0025]) - 1) / (1 - 0.0025) ** 4
    theta = np.zeros(32)
    scale = clean / eq.loss_gradient(published(4, None), theta).loss
    for gamma, ratio in PHASE_7.items():
        rate = -math.log(1 - gamma)
        model = published(4, f"relaxation:down={rate}", loss="logistic", labels=[1], scale=scale)
        point = eq.loss_law(model, sampling=eq.Sampling(samples=40)).points[0]
        # spread of the predictions over the box: 2 % of the ratio here, less in their circuit of smaller gradients
        assert point.variance / (scale**2 * point.prediction_variance) == pytest.approx(ratio, rel=0.03)
        law = eq.loss_law(model, sampling=eq.Sampling(samples=40))
        assert law.kappa_gradient.value > 0 > law.kappa_residual.value
