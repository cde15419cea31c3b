"""The embedded PostgreSQL: one server for all processes of an installation, ours to start, heal and stop."""
