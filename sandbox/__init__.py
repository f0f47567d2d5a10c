"""Simulated ERPs and the world of clubs behind them, for the demo, the benchmarks and the tests."""
