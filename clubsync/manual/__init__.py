"""What people do by hand: customers, requests, app users, holds, undo, erasure, and a club's lifecycle."""
