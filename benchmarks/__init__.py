"""Speed and memory against other programs; run with ``make bench`` or ``python -m benchmarks``."""
