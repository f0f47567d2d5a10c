"""What the pages and the API show and do: one module per subject."""
