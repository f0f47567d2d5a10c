"""Answer questions: why somebody is or is not a customer, and what the guard would have held."""
