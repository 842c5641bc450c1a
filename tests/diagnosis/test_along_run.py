"""Trainability along a run: each checkpoint's answer is that of the model stated around it."""

from __future__ import annotations

import json

import pytest

import equinoise as eq
from equinoise.diagnosis.loss.along_run import RUN_FIELDS, diagnose_run
from equinoise.errors import ParameterError
from model_twin import build

FEW = eq.Sampling(samples=3)


def test_each_point_of_a_run_is_the_model_around_it():
    points = [[0.1, 0.2, 0.3, 0.4], {"w[0]": 1.0, "w[1]": -0.5, "w[2]": 0.3, "w[3]": 0.9}]
    model = build("re-uploading", "relaxation", "mean", prior="normal:0.1")
    run = diagnose_run(model, points, 0.5, sampling=FEW)
    for point, found in zip(points, run.points, strict=True):
        alone = eq.diagnose(
            build("re-uploading", "relaxation", "mean", prior="normal:0.1", at=point), 0.5, sampling=FEW
        )
        assert found.to_dict() == alone.to_dict()
    rows = run.rows()
    assert [tuple(row) for row in rows] == [RUN_FIELDS, RUN_FIELDS]
    assert rows[0]["kappa"] != rows[1]["kappa"]
    assert json.loads(json.dumps(run.to_dict(), allow_nan=False))["points"][1]["scale"] == 0.5
    assert "point 1" in str(run)
    assert "<table>" in run._repr_html_()


@pytest.mark.parametrize("prior", ["uniform", [[0.1, 0.2, 0.3, 0.4]]], ids=["uniform", "given"])
def test_a_prior_without_a_width_lies_around_no_point(prior):
    with pytest.raises(ParameterError, match="at= says where the prior lies"):
        diagnose_run(build("re-uploading", "relaxation", "mean", prior=prior), [[0.1] * 4], sampling=FEW)


def test_a_run_has_points():
    with pytest.raises(ParameterError, match="points is empty"):
        diagnose_run(build("re-uploading", "relaxation", "mean"), [], sampling=FEW)
