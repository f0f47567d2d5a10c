"""Reading one ERP: a module each. No Airflow, no data base (checked by import-linter).

`model` has the canonical form that every connector returns, `errors` what may go wrong,
`base` the two classes a connector is written against, `registry` their names.
"""
