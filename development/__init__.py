"""Everything on one machine, for development and demonstration: embedded servers, sample data, the demo."""
