"""The Clubs pages: what support staff look at inside Airflow, and the JSON API that they are made from.

`services` has one module per subject; `api` and `views` are the routes on top of them; `auth` says who may
see and do what. Imported by `plugins.web.app` at the first request, in Airflow's api-server alone.
"""
