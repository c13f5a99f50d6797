"""How a client speaks to Temporal: connection, orders, settlements, schedules."""
