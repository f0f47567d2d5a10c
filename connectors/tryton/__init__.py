"""Tryton: JSON-RPC, or the REST protocol of Tryton 8 and later."""
