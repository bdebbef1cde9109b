"""The workshop's application: a web front on SQLite, its backup and its recovery.

The package knows files and SQLite, or PostgreSQL in their place, and nothing of Kubernetes.
Its parts, from the bottom up; each imports only from those before it, which a test keeps:

- ``base``: errors, the clock, settings, tasks, what lies where on the two volumes;
- ``disk``: files and folders, copies, locks, room; alone in touching files;
- ``sql``: connections to SQLite, and the tables;
- ``lineage``: the small records that say which history is here, and which of it is live;
- ``points``: restore points, their manifests, their catalogue, the exported file;
- ``journal``: its format and files, reading the past, writing the next transaction;
- ``state``: what the two volumes hold now, and whether a program may go on with it;
- ``pitr``: point-in-time recovery: which moments can be brought back, and by what;
- ``data``: reading and writing the database of the running application;
- ``protect``: making and keeping restore points;
- ``recovery``: bringing a moment back;
- ``offsite``: encrypted copies in a bucket or a folder, and bringing them back;
- ``postgres``: connections to PostgreSQL, its tables and replicas; knows ``base`` alone;
- ``events``: what the application does with its data, whichever database has it;
- ``web``: routes, the server;
- ``commands``: the verbs of ``python -m pra``.

What the words mean, among them place, position, timeline, generation, base and safety
point, is the glossary of ``docs/format.md``.
"""
