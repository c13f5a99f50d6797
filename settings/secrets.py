"""Removes secrets from the environment of a process once they are not needed any more."""

import os

from pydantic import SecretStr

from settings.environment import Settings
from settings.policy_files import PREFIX

_STANDARD = (
    "TEMPORAL_API_KEY",
    "TEMPORAL_TLS_CLIENT_KEY_DATA",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
)


def forget_secrets(settings: Settings) -> None:
    """Remove the variables with secrets from this process's environment, so that no process that it starts gets them.

    To be called once everything has been read and the client of Temporal and the exporter of traces are made.
    """
    for name, field in Settings.model_fields.items():
        if not field.repr or isinstance(getattr(settings, name), SecretStr):
            os.environ.pop(PREFIX + name.upper(), None)
    for variable in _STANDARD:
        os.environ.pop(variable, None)
