"""The events' PostgreSQL: connections to its primary, the tables, what is known of its replicas."""
