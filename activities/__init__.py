"""The activities: mail, warehouse, records, documents. Workflows call them by name."""
