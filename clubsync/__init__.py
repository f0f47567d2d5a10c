"""The sync: extract, validate, diff, load, and explain. Knows no Airflow.

The words are those of the rules (docs/rules.md); every module says which of them it keeps.
"""
