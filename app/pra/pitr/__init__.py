"""Point-in-time recovery: which moments can be brought back, and by what."""
