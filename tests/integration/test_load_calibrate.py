"""The load generator measures itself."""

from __future__ import annotations

import json

import pytest
from load_server import message, says, serving

from faas_exp.errors import LoadError
from faas_exp.load import LoadSpec, calibrate, read_calibration, run_load

# Long enough that even a machine which is elsewhere for a moment answers some requests.
SECONDS = 0.5


def test_calibration_is_measured_once_and_carried_into_the_statistics(tmp_path):
    file = tmp_path / "deep" / "calibration.json"
    made = calibrate(seconds=SECONDS, cache=file)
    assert made.ceiling_rps > 0
    assert made.cpu_us > 1
    assert 0 < made.floor_p50_ms <= made.floor_p99_ms
    assert read_calibration(file) == made
    # The second call reads: marked values come back.
    values = json.loads(file.read_text())
    file.write_text(json.dumps({**values, "ceiling_rps": 123.0}))
    assert calibrate(seconds=SECONDS, cache=file).ceiling_rps == 123.0
    with serving(says(message())) as server:
        stats = run_load(LoadSpec(url=server.url, calibration=file), tmp_path / "out")
    assert stats.generator.calibration == {**values, "ceiling_rps": 123.0}
    # Another machine or another version: measured anew.
    file.write_text(json.dumps({**values, "ceiling_rps": 123.0, "versions": {"locust": "1"}}))
    assert calibrate(seconds=SECONDS, cache=file).ceiling_rps != 123.0
    file.write_text("broken")
    assert calibrate(seconds=SECONDS, cache=file).ceiling_rps not in (0, 123.0)
    assert [path.name for path in file.parent.iterdir()] == ["calibration.json"]


def test_a_calibration_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LoadError, match="writing the calibration into"):
        calibrate(seconds=SECONDS, cache=tmp_path / "file" / "c.json")
