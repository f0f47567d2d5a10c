"""The Airflow Dag that keeps the clubs on Square in step."""

from plugins.orchestration.dag_builder import sync_dag

dag = sync_dag("square")
