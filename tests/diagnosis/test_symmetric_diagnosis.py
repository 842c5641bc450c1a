"""A diagnosis says which symmetry was claimed, what noise leaves of it and what that saves, on screen and in files."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

import equinoise as eq
from equinoise.diagnosis.depth import greatest_depth
from equinoise.diagnosis.repetition import Repetition, repeated
from equinoise.errors import EquinoiseError, UnsupportedError
from equinoise.mitigation.decoupling.decoupling import decouple
from equinoise.mitigation.decoupling.shared_paths import compare_paths
from equinoise.mitigation.verification.symmetry_verification import verify
from equinoise.mitigation.verification.verified_law import verified_law
from equinoise.report.page.html import diagnosis_page
from equinoise.report.terminal.diagnosis_table import print_diagnosis
from equinoise.sweeps.study_file import study_from_dict
from symmetric_problems import exchange_layers, ising_ring, mean_z, permutation_layers

UNEVEN = {"dephasing": [{"rate": 0.1 + 0.01 * q, "weights": {q: 1.0}} for q in range(4)]}


def permuted(noise="dephasing:0.02", n=4, depth=3, **options):
    circuit = permutation_layers(n, depth)
    return eq.Problem(circuit, mean_z(n), initial="0" * n, noise=noise, symmetry="permutation", **options)


def exchanged(noise, n=4, readout="X1X2+Y1Y2+Z1Z2"):
    return eq.Problem(exchange_layers(n, 3), readout, initial="01" * (n // 2), noise=noise, symmetry="su2")


def diagnosed(problem, *, samples=8, engine="auto", **options):
    return eq.diagnose(problem, sampling=eq.Sampling(samples=samples, engine=engine), depth=False, **options)


def printed(diagnosis):
    console = Console(file=io.StringIO(), width=200, color_system=None)
    print_diagnosis(diagnosis.record, console)
    return " ".join(console.file.getvalue().split())


# -- what it says --------------------------------------------------------------------------------------------------


def test_permutation_diagnosis_holds_sectors_numbers_and_class():
    found = diagnosed(permuted("dephasing:0.02+relaxation:0.01"))
    facts = found.to_dict()
    json.dumps(facts, allow_nan=False)
    assert found.engine == "permutation"
    assert facts["symmetry"] == {
        "claimed": "permutation",
        "kept": "permutation",
        "broken_by": [],
        "left_out": [],
        "sectors": [
            {"label": "J=2", "multiplicity": 5, "dimension": 1},
            {"label": "J=1", "multiplicity": 3, "dimension": 3},
            {"label": "J=0", "multiplicity": 1, "dimension": 2},
        ],
        "num_sectors": 3,
        "numbers": math.comb(7, 3),
        "claimed_numbers": math.comb(7, 3),
        "noise_on_sectors": "mixed",
    }
    assert facts["equivariance"] == {
        "charge": None,
        "sector": None,
        "sector_dimension": None,
        "noise_class": "weak",
        "conserving": True,
        "breaking": [],
    }
    assert (facts["light_cone"]["dimension"], facts["light_cone"]["full_dimension"]) == (35, 256)
    assert facts["light_cone"]["charges"] is None
    text = printed(found)
    assert "symmetry yes: every step of the circuit commutes with permutation" in text
    assert "3 sectors: J=2 (5), J=1 (3 x 3), J=0 (1 x 2)" in text
    assert "weakly symmetric: it keeps permutation on average" in text
    assert "it mixes the sectors" in text
    assert "charge" not in text.split("2 Where")[0]


def test_fifty_qubits_are_diagnosed_exactly():
    """C(53, 3) numbers instead of 4^50."""
    found = diagnosed(permuted("dephasing:0.002+relaxation:0.001", n=50, depth=2), samples=2, curve=False)
    assert found.symmetry["numbers"] == math.comb(53, 3)
    assert len(found.symmetry["sectors"]) == 26
    assert found.law.kappa > 0
    assert sum(e.kappa for e in found.law.budget) == pytest.approx(found.law.kappa, rel=1e-9)
    assert found.law.fixed_point.kind == "too symmetric"
    assert "1e+30 times fewer" in printed(found) or "times fewer" in printed(found)


def test_noise_that_breaks_the_symmetry_is_named_with_what_it_costs():
    found = diagnosed(exchanged("dephasing:0.05"))
    kept = found.symmetry["kept"]
    assert (found.symmetry["claimed"], found.symmetry["claimed_numbers"]) == ("su2", 14)
    assert kept == "charge * parity:X"
    _, warning = found.warnings  # the first says that 8 draws are few
    assert warning == (
        "the noise breaks su2 (dephasing 0.05 D[Z0], dephasing 0.05 D[Z1], dephasing 0.05 D[Z2] and 1 more); computed "
        f"with charge * parity:X: {found.symmetry['numbers']} numbers a density matrix instead of 14"
    )
    text = printed(found)
    assert f"computed with {kept}" in text
    assert "because of dephasing 0.05 D[Z0]" in text


def test_noise_that_leaves_nothing_is_computed_in_the_full_space():
    found = diagnosed(permuted(UNEVEN))
    assert (found.engine, found.symmetry["kept"], found.symmetry["numbers"]) == ("exact", "none", 256)
    assert found.equivariance["noise_class"] == "broken"
    assert any("computed in the full space of the light cone: 256 numbers" in text for text in found.warnings)
    assert "breaks the symmetry, of which nothing is left" in printed(found)
    plain = eq.Problem(permutation_layers(4, 3), mean_z(4), initial="0000", noise=UNEVEN, allow_broken=True)
    assert found.law.kappa == pytest.approx(diagnosed(plain).law.kappa, rel=1e-10)


def test_noise_that_nothing_feels_is_left_out_and_said_so():
    found = diagnosed(exchanged("collective:0.3"))
    assert found.symmetry["kept"] == "su2"
    # of the last slot the readout sees two qubits
    assert found.symmetry["left_out"] == ["dephasing 0.3 D[Z0 + Z1 + Z2 + Z3]", "dephasing 0.3 D[Z1 + Z2]"]
    assert found.simulated.survival == pytest.approx(1, abs=1e-12)
    assert found.law.certificate.proved
    assert found.verdict.word == "trainable"
    _, warning = found.warnings  # the first says that 8 draws are few
    assert warning.startswith(
        "left out, since it is invisible to every operator that su2 leaves alone: dephasing 0.3 D[Z0 + Z1 + Z2 + Z3]"
    )


def test_engine_exact_says_that_it_makes_no_use_of_the_symmetry():
    found = diagnosed(permuted(), engine="exact")
    assert (found.engine, found.symmetry["kept"]) == ("exact", "none")
    assert any("makes no use of permutation" in text for text in found.warnings)
    assert found.law.kappa == pytest.approx(diagnosed(permuted()).law.kappa, rel=1e-10)


def test_charge_has_the_same_key_and_keeps_its_words():
    found = diagnosed(eq.Problem(eq.circuits.brickwork(4, 3), "Z1", initial="neel", noise="relaxation:0.02"))
    assert found.symmetry["claimed"] == found.symmetry["kept"] == "charge"
    assert found.symmetry["sectors"] == [
        {"label": f"q={q}", "multiplicity": math.comb(4, q), "dimension": 1} for q in (0, 1, 2)
    ]
    assert (found.symmetry["claimed_numbers"], found.symmetry["noise_on_sectors"]) == (None, "mixed")
    assert found.equivariance["charge"] == "sum_i (1 - Z_i)/2"
    assert "every block and the readout conserve the charge sum_i (1 - Z_i)/2" in printed(found)


def test_gradient_says_what_it_was_reduced_by():
    problem = permuted()
    reduction = eq.gradient(problem, [0.3] * 9).reduction
    assert reduction == {"qubits": (0, 1, 2, 3), "charges": None, "numbers": 35, "symmetry": "permutation"}


def test_page_notebook_and_figure_are_made_of_any_symmetry(tmp_path):
    found = diagnosed(permuted("collective:0.02"))
    page = diagnosis_page(found, "permutation layers")
    assert "permutation layers" in page
    assert "strong" in page
    assert "<table>" in found._repr_html_()
    found.plot().savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert found.to_dataframe().shape == (3, 5)


# -- depth, readings, advice ---------------------------------------------------------------------------------------


def test_deeper_problems_keep_the_symmetry():
    problem = eq.Problem(ising_ring(4, 2), "Z0", initial="0000", noise="dephasing:0.05", symmetry="translation")
    deeper = repeated(problem, 5, Repetition(0, 1, 0))
    assert deeper.symmetry == problem.symmetry
    assert len(deeper.layers) == 5
    found = greatest_depth(problem, 0.35, 1.0, eq.Sampling(seed=0))
    assert found.engine == "commutant"
    assert found.depth >= 1


@pytest.mark.parametrize(("error", "kept"), [([0.03, 0.03], "su2"), ([0.02, 0.05], "none")])
def test_readings_that_break_the_symmetry_are_computed_with_what_is_left(error, kept):
    """Equal flips attenuate X, Y and Z alike; unequal ones add a readout of one qubit, in the full space."""
    circuit = exchange_layers(4, 3)
    noise = {"readout_error": {1: error}, "depolarizing": [{"qubits": [q], "rate": 0.02} for q in range(4)]}
    stated = exchanged(noise)
    assert str(stated.as_read().symmetry) == kept
    found = diagnosed(stated)
    plain = diagnosed(eq.Problem(circuit, "X1X2+Y1Y2+Z1Z2", initial="0101", noise=noise))
    assert found.engine == "commutant"
    assert found.resources.readout_factor == pytest.approx(plain.resources.readout_factor, rel=1e-9)
    assert found.resources.shot_variance == pytest.approx(plain.resources.shot_variance, rel=1e-9)
    assert any("readout errors leave of su2: none" in text for text in found.warnings) is (kept == "none")


def test_advice_by_the_budget_works_and_the_rest_is_left_out_in_words():
    found = eq.advise(exchanged("depolarizing:0.05"), sampling=eq.Sampling(samples=4), first_samples=4)
    left_out = dict(found.left_out)
    assert left_out["verification"] == "post-selection keeps a sector of the charge; the symmetry here is su2"
    better = [one for one in (*found.suggestions, *found.useless) if one.kind == "calibration"]
    assert better
    assert all(one.gain > 1 for one in better)
    elsewhere = [one for one in (*found.suggestions, *found.useless) if one.kind == "readout"]
    assert elsewhere[0].change in ("read X0X1+Y0Y1+Z0Z1 instead of X1X2+Y1Y2+Z1Z2",)


# -- what is refused -----------------------------------------------------------------------------------------------

TIMES = {"rxx": 1e-7, "ryy": 1e-7, "rzz": 1e-7}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda p: verify(p, np.zeros(5)), "verification keeps the shots of one charge sum_i (1 - Z_i)/2"),
        (lambda p: verified_law(p, sampling=eq.Sampling(samples=2)), "but the problem's symmetry is su2"),
        (lambda p: compare_paths(decouple(p, "X2", durations=TIMES)), "propagated in sectors of the charge"),
        (
            lambda p: eq.law(p, sampling=eq.Sampling(samples=2, engine="trajectories")),
            "it does not work with the symmetry su2",
        ),
        (
            lambda p: eq.law(p, sampling=eq.Sampling(samples=2, engine="replica")),
            "it does not work with the symmetry su2",
        ),
        (
            lambda p: eq.law(p, sampling=eq.Sampling(samples=2, engine="permutation")),
            "differs from qubit to qubit or pair to pair",
        ),
        (
            lambda p: eq.law(p.with_noise("static:0.1"), sampling=eq.Sampling(samples=2)),
            "computed in sectors of the charge, not of su2",
        ),
        (
            lambda p: eq.aligned_rates(p, sampling=eq.Sampling(samples=2)),
            "the Rayleigh form holds for diagonal dephasing",
        ),
    ],
)
def test_what_needs_the_charge_is_refused_in_words(call, text):
    with pytest.raises(UnsupportedError) as caught:
        call(exchanged("depolarizing:0.05"))
    assert text in str(caught.value)


def test_study_files_are_of_the_charge_and_say_so():
    with pytest.raises(EquinoiseError, match=r"for another symmetry use equinoise\.diagnose"):
        study_from_dict({"circuits": [{"source": "brickwork", "n": 4}], "readouts": ["Z0"], "symmetry": "parity"})


def test_sector_of_the_charge_is_not_for_other_symmetries():
    with pytest.raises(EquinoiseError, match="select a sector of the total charge; the symmetry is permutation"):
        permuted(projected=True)
