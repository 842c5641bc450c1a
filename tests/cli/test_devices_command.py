"""`equinoise devices`: the snapshots there are, on screen and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from equinoise.cli.main import app
from equinoise.device import snapshots as devices
from equinoise.device.snapshots import DeviceSummary
from equinoise.errors import DeviceError

TWO = (
    DeviceSummary("lisbon", 27, 120e-6, 80e-6, 2.5e-4, 0.008, 400e-9, 0.012, 3, "cx"),
    DeviceSummary("lonely", 1, None, None, 1e-4, None, None, None, 0, None),
)


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available", lambda: TWO)


@pytest.mark.usefixtures("two_devices")
def test_list_shows_medians_in_readable_units_and_a_dash_where_nothing_is_known() -> None:
    result = CliRunner().invoke(app, ["devices"])
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    assert lines["lisbon"] == ["lisbon", "27", "120", "80", "0.00025", "0.0080", "cx", "400", "0.012"]
    assert lines["lonely"] == ["lonely", "1", "-", "-", "0.00010", "-", "-", "-", "-"]
    assert result.stderr == ""


@pytest.mark.usefixtures("two_devices")
def test_json_gives_seconds_and_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["devices", "--json", "-"])
    data = json.loads(result.stdout)
    assert data["schema"] == "equinoise.devices/1"
    assert data["units"]["t1"] == "s"
    assert [device["name"] for device in data["devices"]] == ["lisbon", "lonely"]
    assert data["devices"][0]["t1"] == 120e-6
    assert data["devices"][1]["t1"] is None
    target = tmp_path / "devices.json"
    assert CliRunner().invoke(app, ["devices", "--json", str(target)]).exit_code == 0
    assert json.loads(target.read_text()) == data


def test_missing_folder_is_told_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available", lambda: pytest.fail("devices were read"))
    result = CliRunner().invoke(app, ["devices", "--json", str(tmp_path / "none" / "a.json")])
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_missing_package_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise DeviceError('device snapshots need qiskit-ibm-runtime. Run: pip install "equinoise[ibm]"')

    monkeypatch.setattr(devices, "available", missing)
    result = CliRunner().invoke(app, ["devices"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "equinoise[ibm]" in result.stderr


@pytest.mark.slow
def test_real_snapshots_include_the_demo_device() -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    result = CliRunner().invoke(app, ["devices", "--json", "-"])
    found = {device["name"]: device for device in json.loads(result.stdout)["devices"]}
    assert found["torino"]["num_qubits"] == 133
    assert 0 < found["torino"]["error_2q"] < 0.05
