"""Benchmarks: the measurements that README.md shows, each as `python -m bench NAME`."""
