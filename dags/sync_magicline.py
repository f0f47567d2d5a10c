"""The Airflow Dag that keeps the clubs on Magicline or PerfectGym Next in step."""

from plugins.clubsync_dags import sync_dag

dag = sync_dag("magicline")
