"""The Airflow Dags that look after freshness, holds, nudges and old data."""

from plugins.clubsync_dags import upkeep_dags

upkeep, retention = upkeep_dags()
