"""The configuration of CMI's processes, from environment variables."""

from settings.environment import Settings, SettingsError

__all__ = ["Settings", "SettingsError"]
