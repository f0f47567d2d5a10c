"""The Airflow Dag that asks people about held deactivations."""

from plugins.clubsync_dags import held_changes_dag

dag = held_changes_dag()
