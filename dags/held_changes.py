"""The Airflow Dag that asks people about held deactivations."""

from plugins.orchestration.dag_builder import held_changes_dag

dag = held_changes_dag()
