"""The Airflow Dag that keeps the clubs on Resamania in step."""

from plugins.clubsync_dags import sync_dag

dag = sync_dag("resamania")
