"""The Airflow Dags that look after freshness, holds, nudges and old data."""

from plugins.orchestration.dag_builder import upkeep_dags

upkeep, retention = upkeep_dags()
