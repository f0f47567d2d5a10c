"""The Airflow Dag that keeps the clubs on JSON APIs without a connector of their own in step."""

from plugins.orchestration.dag_builder import sync_dag

dag = sync_dag("rest")
