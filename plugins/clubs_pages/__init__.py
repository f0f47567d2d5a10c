"""The Clubs pages: what support staff look at inside Airflow, and the JSON API that they live from.

`api` and `views` are the routes; what they answer is made by a module for each thing that is shown
(`clubs`, `people`, `findings`, `holds`, `runs`) and done (`acts`). `access` says who may. Imported by
`plugins.web` at the first request, in Airflow's api-server alone.
"""
