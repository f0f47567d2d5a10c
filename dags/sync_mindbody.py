"""The Airflow Dag that keeps the clubs on Mindbody in step."""

from plugins.clubsync_dags import sync_dag

dag = sync_dag("mindbody")
