"""The Airflow Dag that syncs one club now, beside the scheduled runs."""

from plugins.orchestration.dag_builder import sync_one_dag

dag = sync_one_dag()
