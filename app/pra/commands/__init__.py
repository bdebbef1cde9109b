"""The verbs of ``python -m pra`` and how they answer."""
