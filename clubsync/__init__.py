"""The sync: extract, validate, diff, load, and explain. Knows no Airflow.

The words are those of the rules R1 to R28; every module says which of them it keeps.
"""
