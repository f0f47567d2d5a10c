"""What Airflow has of clubsync: the Dags' shape, their tasks, connections and pages."""
