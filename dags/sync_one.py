"""The Airflow Dag that syncs one club now, beside the scheduled runs."""

from plugins.clubsync_dags import sync_one_dag

dag = sync_one_dag()
