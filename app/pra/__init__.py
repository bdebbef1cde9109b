"""The workshop's application: a web front on SQLite, its backup and its recovery.

The package knows files and SQLite and nothing of Kubernetes. The modules, from
the bottom up: ``errors`` and ``settings``; ``fileops``, the only one that
touches files of backups and journals; ``layout``, ``marks`` and ``locks``, what
is where and who may; ``database``, connections and transactions; ``points``,
``backup``, ``verify`` and ``restore``; ``web`` and ``serve``; ``cli``.
"""
