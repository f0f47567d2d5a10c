"""Simulated ERPs, and the simulated clubs behind them, for the demo, the benchmarks and the tests."""
