"""How fast clubsync is: `python -m benchmarks` measures the gates, prints and keeps them."""
