"""SQLite: connections as each use needs them, and the tables."""
