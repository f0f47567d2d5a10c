"""Reading one ERP: a module or package each. No Airflow, no database (checked by import-linter).

`registry` has their names; `sdk` has what they are written with: `sdk.model` the canonical form that
every connector returns, `sdk.errors` what may go wrong, `sdk.base` the two classes to start from.
"""
