"""Latency and recall beside other engines: pytest suites, and ``python -m benchmarks.report``."""
