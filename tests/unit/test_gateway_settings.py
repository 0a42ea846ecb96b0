"""Settings and durations of the gateway."""

from __future__ import annotations

from math import inf

import pytest

from faas_exp.errors import ConfigError
from faas_exp.gateway.durations import parse_duration
from faas_exp.gateway.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m5s", 305),
        ("1h2m3s", 3723),
        ("1.5h", 5400),
        ("300ms", 0.3),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("7ns", 7e-9),
        (".5s", 0.5),
        ("8", 8),
        ("0", 0),
        ("0s", 0),
        (" 30s ", 30),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "5 m", "5x", "-5s", "5m5", "1d", "nan", "1e3s", "5ss5"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: a duration") as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)


def test_settings_from_the_environment() -> None:
    settings = read_settings(
        {
            "read_timeout": "5m5s",
            "write_timeout": "30",
            "upstream_timeout": "10s",
            "max_body_size": "2Mi",
            "max_connections": "10",
            "scale_from_zero": "false",
            "autoscale_target": "7.5",
            "secret_mount_path": "/run/secrets",
            "inactivity_duration": "",
            "PATH": "/bin",
        }
    )
    assert settings == Settings(
        read_timeout=305,
        write_timeout=30,
        upstream_timeout=10,
        max_body_size=2 * 1024**2,
        max_connections=10,
        scale_from_zero=False,
        autoscale_target=7.5,
        secret_mount_path="/run/secrets",
    )
    assert settings.exec_timeout == 10
    assert settings.body_limit == 2 * 1024**2


def test_no_limit_is_the_default() -> None:
    assert Settings().body_limit == inf
    assert Settings(write_timeout=0).exec_timeout == inf


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("read_timeout", "soon", "a duration such as"),
        ("scale_from_zero", "perhaps", "true, false"),
        ("max_connections", "-1", "a whole number"),
        ("max_body_size", "1Ti", "bytes, or a number with"),
        ("autoscale_target", "0", "a number above 0"),
        ("autoscale_target", "inf", "a number above 0"),
    ],
)
def test_bad_settings(name: str, text: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings({name: text})
    error = caught.value
    assert (error.file, error.key, error.found) == ("environment", name, repr(text))
    assert error.allowed.startswith(allowed)
