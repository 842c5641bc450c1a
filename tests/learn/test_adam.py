"""Adam against closed forms."""

import numpy as np
import pytest

from equinoise.learn.adam import Adam


def test_steps_along_a_constant_gradient_all_have_the_learning_rate_s_length():
    angles = np.array([0.5, -2.0])
    adam = Adam([angles], 0.01)
    for _ in range(7):
        adam.step([angles], [np.array([3.0, -0.2])])
    # 1e-8 beside sqrt(v) = 0.2 sqrt(0.001) shortens the first of seven steps by 1.6e-8, the later ones by less
    assert angles == pytest.approx([0.5 - 0.07, -2.0 + 0.07], abs=7 * 1.6e-8)
    assert adam.steps == 7


def test_two_steps_agree_with_the_published_bias_corrected_averages():
    rate, first, second = 0.05, np.array([0.3]), np.array([-0.7])
    angles = np.array([1.0])
    adam = Adam([angles], rate)
    adam.step([angles], [first])
    adam.step([angles], [second])
    mean = (0.9 * 0.1 * first + 0.1 * second) / (1 - 0.9**2)
    square = (0.999 * 0.001 * first**2 + 0.001 * second**2) / (1 - 0.999**2)
    assert angles == pytest.approx(1.0 - rate - rate * mean / np.sqrt(square), rel=1e-6)


def test_the_slope_of_a_bowl_leads_to_its_bottom():
    angles, gain = np.array([1.0, -1.0]), np.array([2.0])
    adam = Adam([angles, gain], 0.05)
    for _ in range(1000):
        adam.step([angles, gain], [2 * angles, 2 * gain])
    assert max(*np.abs(angles), *np.abs(gain)) < 1e-3
