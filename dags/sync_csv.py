"""The Airflow Dag that keeps the clubs that export files (CSV, XLSX) in step."""

from plugins.clubsync_dags import sync_dag

dag = sync_dag("csv")
