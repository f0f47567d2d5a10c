"""What Airflow runs: the Dags, their tasks, what a failure says, and approvals."""
