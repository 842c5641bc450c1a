"""Settings, and the moments of what is read in them, bit by bit."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp

from equinoise.measurement import charge_conserving_part, measurement_settings

probability = st.floats(0, 0.4)
errors = st.dictionaries(st.integers(0, 2), st.tuples(probability, probability))


@given(
    st.lists(st.sampled_from(["IIZ", "IZI", "ZII", "IZZ", "ZZI", "ZIZ", "ZZZ", "III"]), unique=True, min_size=1), errors
)
def test_second_moment_of_z_strings_is_that_of_the_bits_that_are_read(labels, flips):
    """<x| square |x> = sum_y p(y|x) f(y)^2, by going through all outcomes y."""
    coefficients = np.linspace(0.5, 1.5, len(labels))
    (setting,) = measurement_settings(SparsePauliOp(labels, coefficients), flips)
    mean, square = (np.diag(op.to_matrix()).real for op in (setting.mean, setting.square))
    outcomes = list(itertools.product((0, 1), repeat=3))  # qubit 0 first

    def f(bits):
        signs = [1 - 2 * b for b in bits]
        return sum(
            c * math.prod(signs[q] for q in range(3) if label[2 - q] == "Z")
            for label, c in zip(labels, coefficients, strict=True)
        )

    def chance(read, true):
        out = 1.0
        for q in range(3):
            p01, p10 = flips.get(q, (0.0, 0.0))
            wrong = p10 if true[q] else p01
            out *= wrong if read[q] != true[q] else 1 - wrong
        return out

    for true in outcomes:
        place = sum(b << q for q, b in enumerate(true))
        assert mean[place] == pytest.approx(sum(chance(y, true) * f(y) for y in outcomes), abs=1e-12)
        assert square[place] == pytest.approx(sum(chance(y, true) * f(y) ** 2 for y in outcomes), abs=1e-12)


def test_terms_share_a_setting_where_they_agree_on_every_qubit():
    readout = SparsePauliOp(["IIZ", "XXI", "YYI", "XII", "IZI"], [1, 0.9, 0.8, 0.7, 0.6])
    found = [sorted(setting.ideal.paulis.to_labels()) for setting in measurement_settings(readout, {})]
    assert found == [["IIZ", "XII", "XXI"], ["YYI"], ["IZI"]]
    assert all(setting.mean is setting.ideal for setting in measurement_settings(readout, {}))


@given(st.lists(st.text("IXYZ", min_size=3, max_size=3), min_size=1, max_size=4, unique=True))
def test_charge_conserving_part_is_what_lies_in_the_blocks(labels):
    operator = SparsePauliOp(labels, np.linspace(1, 2, len(labels)))
    charge = np.bitwise_count(np.arange(8))
    inside = np.where(charge[:, None] == charge[None, :], operator.to_matrix(), 0)
    np.testing.assert_allclose(charge_conserving_part(operator).to_matrix(), inside, atol=1e-12)
