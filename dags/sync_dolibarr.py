"""The Airflow Dag that keeps the clubs on Dolibarr in step."""

from plugins.clubsync_dags import sync_dag

dag = sync_dag("dolibarr")
