"""Find the records that a reading affects, derive their facts, and turn the facts into findings."""
