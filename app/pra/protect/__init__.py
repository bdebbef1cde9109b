"""Making and keeping restore points: backup, retention, new bases, what to tell a person."""
