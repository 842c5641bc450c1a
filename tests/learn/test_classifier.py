"""The estimator: scikit-learn's own checks, same numbers whatever the workers, resuming after SIGKILL, error texts."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.utils.estimator_checks import check_estimator

from equinoise.learn import ChargeClassifier, CheckpointError, TrainingError

X, Y = (part[:80] for part in load_breast_cancer(return_X_y=True))
X = X[:, :5]
SETTINGS = {"depth": 3, "noise": "relaxation:down=0.02+dephasing:0.02", "batch_size": 16, "seed": 3}


def fitted(**options):
    return ChargeClassifier(**{**SETTINGS, "epochs": 3, **options}).fit(X, Y)


def same(a, b, rounding=0.0):
    for one, two in zip(a.history_, b.history_, strict=True):
        np.testing.assert_allclose(dataclasses.astuple(one), dataclasses.astuple(two), rtol=rounding)
    for one, two in zip(a.weights_.arrays, b.weights_.arrays, strict=True):
        np.testing.assert_allclose(one, two, rtol=rounding, atol=rounding)


@pytest.mark.slow
def test_scikit_learns_own_checks_pass():
    # with a circuit that learns the checks' blobs in the time that they give; array-API input alone is skipped
    done = check_estimator(
        ChargeClassifier(depth=3, epochs=25, learning_rate=0.1, workers=1), on_fail=None, on_skip=None
    )
    assert [c["check_name"] for c in done if c["status"] not in ("passed", "skipped")] == []
    assert {c["check_name"] for c in done if c["status"] == "skipped"} <= {"check_array_api_input"}
    assert len(done) > 40


def test_it_learns_under_noise():
    assert fitted(epochs=15, learning_rate=0.1).score(X, Y) > 0.85


@pytest.mark.parametrize("shots", [None, 50])
def test_numbers_do_not_depend_on_the_number_of_workers(shots):
    same(fitted(workers=1, shots=shots), fitted(workers=3, shots=shots))


def test_a_pickled_classifier_predicts_the_same():
    model = fitted()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


def test_callback_gets_each_epochs_record():
    seen = []
    model = fitted(callback=seen.append)
    assert seen == model.history_
    assert [one.epoch for one in seen] == [1, 2, 3]


SCRIPT = """
import sys
from test_classifier import *
ChargeClassifier(**SETTINGS, epochs=400, shots=40, checkpoint=sys.argv[1]).fit(X, Y)
"""


def test_a_run_killed_by_sigkill_goes_on_to_the_same_numbers(tmp_path):
    folder = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])}
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], env=environment)
    file = folder / "checkpoint.npz"
    deadline = time.monotonic() + 120
    while not (file.exists() and int(np.load(file)["position"][0]) >= 2):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    epoch = int(np.load(file)["position"][0])
    seen = []
    options = {"epochs": epoch + 2, "shots": 40}
    resumed = fitted(checkpoint=folder, callback=seen.append, **options)
    assert [one.epoch for one in seen] == [epoch + 1, epoch + 2]  # it went on and did not start anew
    same(resumed, fitted(**options), rounding=1e-12)  # BLAS adds in an order that depends on where arrays begin


def test_an_interruption_within_an_epoch_loses_no_batch(tmp_path):
    def stop(done, total):
        if done == 7:  # in the second of epochs of five batches
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(checkpoint=tmp_path, progress=stop)
    ticks = []
    resumed = fitted(checkpoint=tmp_path, progress=lambda done, total: ticks.append(done))
    assert ticks[0] == 8
    same(resumed, fitted(), rounding=1e-12)


def test_a_foreign_checkpoint_is_refused(tmp_path):
    fitted(checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match="belongs to a run with other data or settings"):
        fitted(checkpoint=tmp_path, noise="dephasing:0.1")
    with pytest.raises(CheckpointError, match="in epoch 4, beyond the 2 asked for"):
        fitted(checkpoint=tmp_path, epochs=2)
    (tmp_path / "checkpoint.npz").write_bytes(b"half")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        fitted(checkpoint=tmp_path)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_qubits": 4}, "5 features do not fit on 4 qubits"),
        ({"excitations": 3}, "excitations must be 1 or 2, got 3"),
        ({"scaling": "log"}, "scaling must be one of standard, maxabs, none, got 'log'"),
        ({"epochs": 1.5}, "epochs must be a whole number of 0 to 1,000,000, got 1.5"),
        ({"shots": 0}, "shots must be a whole number of 1 to 1,000,000,000,000,000,000, got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be a positive number of at most 10, got -1.0"),
    ],
)
def test_settings_that_do_not_fit_are_named(options, text):
    with pytest.raises(TrainingError, match=text):
        fitted(**options)


def test_one_class_is_refused():
    with pytest.raises(TrainingError, match="y holds one class only"):
        ChargeClassifier().fit(X, np.zeros(len(X)))


def test_importing_the_package_does_not_import_scikit_learn():
    code = "import sys, equinoise; assert 'sklearn' not in sys.modules; equinoise.learn.ChargeClassifier"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
