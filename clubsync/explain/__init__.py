"""Explain why somebody is or is not a customer, export findings, and replay the guard with other limits."""
