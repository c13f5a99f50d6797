"""The JSON API below `/api/v1` (API.md)."""
