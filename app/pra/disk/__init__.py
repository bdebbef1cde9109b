"""Files and folders: durable operations, copies, locks, and how much room is left."""
