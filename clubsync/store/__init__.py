"""What is kept: the club base, stored snapshots, the record index, and the PostgreSQL that holds them."""
