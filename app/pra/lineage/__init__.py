"""The small records that say which history a volume belongs to, and which of it is live."""
