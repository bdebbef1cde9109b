"""Breaking the application on purpose, at every step, and checking what is left.

Not part of the image: ``python -m faults`` beside the package ``pra``. Each
suite prints one JSON line {"suite", "cases", "passed", "failed", "seconds",
"failures"}.
"""
