"""The Airflow Dag that keeps the clubs on Square in step."""

from plugins.clubsync_dags import sync_dag

dag = sync_dag("square")
