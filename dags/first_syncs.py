"""The Airflow Dag that asks people about first syncs that await approval."""

from plugins.orchestration.dag_builder import first_syncs_dag

dag = first_syncs_dag()
