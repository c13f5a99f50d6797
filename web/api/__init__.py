"""The JSON API below `/api/v1` (docs/contract.md)."""
