"""What the benchmarks share: starting processes, statistics, claims, and the page of results."""
