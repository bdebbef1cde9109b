"""Restore points: manifests, the catalogue, checks, the exported file."""
