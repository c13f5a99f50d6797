"""The configuration of CMI's processes, from environment variables."""

from settings.environment import Settings
from settings.files import keep_files_private
from settings.policy_files import SettingsError

__all__ = ["Settings", "SettingsError", "keep_files_private"]
