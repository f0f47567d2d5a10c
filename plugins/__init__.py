"""clubsync in Airflow: the structure of the Dags, their tasks, connections and pages."""
