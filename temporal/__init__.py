"""Clients of Temporal: connection, orders, settlements, schedules."""
