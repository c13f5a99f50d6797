"""Benchmarks: what a service order costs, as ratios to a floor within one run (docs in `__main__`)."""
