"""The four stages over a batch of clubs: extract, validate, diff, load.

`engine` is what callers use; `extract`, `backfill`, `validate`, `diff` and `load` are the stages, and `runs`
is what they share.
"""
