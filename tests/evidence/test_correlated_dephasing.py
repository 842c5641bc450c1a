"""The correlated-dephasing study: equal worst-case rates, collective noise without loss, and the same tables again."""

import numpy as np
import pytest

from equinoise.evidence import correlated_dephasing as study
from equinoise.evidence.correlated_dephasing import Channel, channels, normalised_rate, worst_case_rates
from equinoise.evidence.frame.cases import Case
from equinoise.evidence.frame.measured_cases import evaluate, in_parallel
from equinoise.evidence.frame.study import Context
from equinoise.sampling import Sampling


def test_every_channel_has_the_same_worst_case_rate():
    for channel in channels(5, 2):
        full, inside = worst_case_rates(channel.weights, 2)
        assert full == pytest.approx(study.WORST_RATE, rel=1e-12)
        assert inside <= full * (1 + 1e-12)


def test_worst_case_rates_of_two_qubits_by_hand():
    # collective: |11><00| differs by 4 in v.z, nothing differs inside the sector; staggered: |01><10|
    assert normalised_rate((1.0, 1.0)) == study.WORST_RATE / 8
    assert worst_case_rates((1.0, 1.0), 1) == pytest.approx((study.WORST_RATE, 0.0))
    assert worst_case_rates((1.0, -1.0), 1) == pytest.approx((study.WORST_RATE, study.WORST_RATE))


def test_nearly_collective_noise_costs_the_square_of_its_imperfection():
    tilt = np.array([0.3, -1.0, 0.8, 0.1])
    kappas = []
    for size in (0.01, 0.02):
        v = 1 + size * tilt
        noise = Channel("nearly collective", "", tuple(v)).noise()
        case = Case("correlated", 3, 4, "neel", "Z")
        one = evaluate(case, Sampling(samples=4, seed=0), (), problem=case.problem(noise), scales=[1.0])
        kappas.append(one.kappa / normalised_rate(tuple(v)))
    assert kappas[1] / kappas[0] == pytest.approx(4.0, rel=1e-6)


def _result(workers: int):
    chosen = [
        Channel("collective", "collective", (1.0,) * 4),
        Channel("staggered", "staggered", (1.0, -1.0, 1.0, -1.0)),
        Channel("one site", "one site", (0.0, 1.0, 0.0, 0.0)),
        Channel("random", "random", (0.4, -1.3, 0.2, 0.9)),
    ]
    items = [(Case("correlated", 3, 4, i, o), c) for i in ("neel", "product") for o in ("Z", "hopping") for c in chosen]

    def one(item):
        case, channel = item
        return evaluate(case, Sampling(samples=8, seed=5), (), problem=case.problem(channel.noise()), scales=[1.0])

    found = in_parallel(one, items, Context(quick=True, workers=workers))
    seen = [(channel, survival) for (_, channel), survival in zip(items, found, strict=True)]
    return study.STUDY.judge(study.tables_of(seen))


def test_collective_noise_costs_nothing_inside_a_sector_and_across_sectors():
    result = _result(1)
    loss = {c.statement: c for c in result.criteria if "|1 - R|" in c.statement}
    assert len(loss) == 2
    assert all(c.passed for c in loss.values())
    rows = result.tables["data"].rows()
    assert min(r["exact"] for r in rows if r["kind"] == "staggered") < 0.5
    result.figure(result.tables)


def test_same_tables_with_one_worker_and_two():
    assert _result(1).tables == _result(2).tables
