"""What touches the world: mail, warehouse, records. Called by workflows, by name."""
