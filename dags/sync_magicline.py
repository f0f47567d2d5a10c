"""The Airflow Dag that keeps the clubs on Magicline or PerfectGym Next in step."""

from plugins.orchestration.dag_builder import sync_dag

dag = sync_dag("magicline")
