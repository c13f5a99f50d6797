"""The web application: a thin translation between HTTP and the use cases in `use_cases/`."""
