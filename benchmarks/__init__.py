"""Performance of clubsync: `python -m benchmarks` measures the gates, prints the results and stores them."""
