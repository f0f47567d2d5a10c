"""The Airflow Dag that delivers changes to webhooks."""

from plugins.orchestration.dag_builder import webhooks_dag

dag = webhooks_dag()
