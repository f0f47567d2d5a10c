"""Read a club's customers and groups from its ERP, and decide what of the reading can be believed."""
