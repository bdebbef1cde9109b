"""Bringing a moment back: its plan, the building of it, the safety point, the swap."""
