"""The Airflow Dag that keeps the clubs that export files (CSV, XLSX) in step."""

from plugins.orchestration.dag_builder import sync_dag

dag = sync_dag("csv")
