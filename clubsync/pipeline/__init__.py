"""The four stages over a batch of clubs."""
