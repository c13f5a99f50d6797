"""The records: read model, audit trail, and what must outlive the workflows. All SQL of CMI is in this package."""
