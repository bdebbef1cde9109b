"""The verbs that work whichever database has the events."""

import json
import sys

from pra.base import clock
from pra.base.errors import UsageError
from pra.base.settings import Settings
from pra.commands.report import Options, report


def serve(config: Settings, options: Options) -> int:
    """Serve until asked to stop."""
    from pra.web import serve as server

    return server.run(config)


def migrate(config: Settings, options: Options) -> int:
    """Give PostgreSQL the tables that this version wants."""
    if config.database_url is None:
        raise UsageError(
            "migrating the database",
            "there is no PRA_DATABASE_URL, so volumes have the events",
            "python -m pra serve gives those what they need when it starts",
        )
    from pra.postgres import migrations
    from pra.postgres.target import Target

    done = migrations.run(Target(config.database_url), options.wait)
    applied = ", ".join(done["applied"]) or "nothing to do"
    report(options, done, lambda: f"version {done['version']}: {applied}")
    return 0


def status(config: Settings, options: Options) -> int:
    """Say what /status says."""
    from pra.events import choice

    known = choice.of(config).status()
    report(options, known, lambda: _lines(known))
    return 0


def moment(config: Settings, options: Options) -> int:
    """Say which moment a text means."""
    from pra.base import moments

    meant = clock.rfc3339(moments.parse(options.text), 3)
    report(options, {"moment": meant}, lambda: meant)
    return 0


def about(config: Settings, options: Options) -> int:
    """Say what the application runs on."""
    from pra.commands import about as application

    known = application.facts(config)
    report(options, known, lambda: _lines(known))
    return 0


def dump(config: Settings, options: Options) -> int:
    """Write every row as JSON lines."""
    from pra.events import choice

    choice.of(config).dump(sys.stdout, options.point)
    return 0


def _lines(known: dict) -> str:
    """A fact a line; what is more than a text or a number as JSON."""
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in known.items()
    )
