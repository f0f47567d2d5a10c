"""ERP connections as Airflow sees them: types, forms, the Test button, and how a club finds its own."""
