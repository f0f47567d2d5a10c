"""Connectors: a module or package per ERP. No Airflow, no database (checked by import-linter).

`registry` has their names. `sdk` is what they are written with: `sdk.base` the classes to start from, `sdk.model`
the canonical model that every connector returns, `sdk.errors` what can go wrong.
"""
