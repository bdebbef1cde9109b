"""What everything else stands on: errors, the clock, settings, where things lie."""
