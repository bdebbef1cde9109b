"""Encrypted copies of points and journal elsewhere: in a bucket or a folder, and back."""
