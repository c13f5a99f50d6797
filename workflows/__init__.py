"""The durable shells around the domain."""
