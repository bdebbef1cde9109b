"""What the two volumes hold now, and whether a program may go on with it."""
