"""Where metrics are shown and whether traces are exported: nowhere and not, unless somebody says so."""

import pytest

from settings import Settings, SettingsError
from settings.traces import are_traces_exported


def test_nothing_is_shown_by_default() -> None:
    settings = Settings.from_env({})
    assert settings.metrics is None
    assert settings.metrics_temporal is None
    assert not are_traces_exported({})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("9464", ("127.0.0.1", 9464)),
        (":9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_without_a_host_only_this_machine_sees_metrics(given: str, meant: tuple[str, int]) -> None:
    assert Settings.from_env({"CMI_METRICS_ADDRESS": given}).metrics == meant


@pytest.mark.parametrize("given", ["web", "127.0.0.1:0", "127.0.0.1:99999", "a b:1", "http://x"])
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(SettingsError, match="CMI_METRICS_ADDRESS"):
        Settings.from_env({"CMI_METRICS_ADDRESS": given})


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_traces_by_the_standard_variables(more: dict[str, str], expected: bool) -> None:
    assert are_traces_exported({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", **more}) is expected
