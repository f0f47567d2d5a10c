"""Write a plan: one transaction per club, with its audit."""
