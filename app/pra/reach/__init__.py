"""Which moments can be brought back, and by which points and transactions."""
