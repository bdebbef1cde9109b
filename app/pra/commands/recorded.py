"""The verbs that leave a record of what became of them."""

from collections.abc import Callable

from pra.base.settings import Settings
from pra.commands.report import Options
from pra.state import jobs

#: What only looks is no run of a job.
_LOOKS = ("plan", "dry_run", "check")


def wanted(options: Options) -> bool:
    """Whether a verb, as it is asked for, changes something."""
    return options.verb in jobs.JOBS and not any(getattr(options, name, False) for name in _LOOKS)


def run(config: Settings, options: Options, act: Callable[[Settings, Options], int]) -> int:
    """Run a verb and record how it ended; returns its exit code."""
    with jobs.recorded(config.layout, options.verb) as job:
        code = act(config, options)
        if code:
            # A point was made, and is suspect.
            job.outcome = jobs.QUARANTINED
        return code
