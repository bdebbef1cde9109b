"""The figures that /metrics tells of jobs and restores: what they left on the backup volume."""

from pra.base.metrics import Metric, Told
from pra.lineage.timelines import Timeline
from pra.points.catalogue import Point
from pra.state import jobs
from pra.state.jobs import Record

RUNS = Metric("pra_job_runs_total", "Runs of jobs that ended.", ("verb", "outcome"), True)
LAST_RUN = Metric(
    "pra_job_last_run_timestamp_seconds",
    "When the last run with an outcome ended.",
    ("verb", "outcome"),
)
LAST_SECONDS = Metric(
    "pra_job_last_duration_seconds", "How long the last run took that ended by itself.", ("verb",)
)
RUNNING = Metric("pra_job_running", "Runs under way.", ("verb",))
RESTORES = Metric("pra_restores_total", "Restores that ended.", ("outcome",), True)
RESTORED = Metric("pra_restore_last_timestamp_seconds", "When the newest restore was carried out.")
RESTORE_SECONDS = Metric(
    "pra_restore_last_duration_seconds", "How long the last restore took that went well."
)
FOLLOWED = Metric(
    "pra_restore_followed_by_point", "1: a verified point was made since the newest restore."
)
_RESTORING = ("restore", "undo", "adopt")


def of_jobs(record: Record) -> list[Told]:
    """What the record of jobs says; every way to end has a series, so that its first run counts."""
    runs, last, seconds, restores = {}, {}, {}, dict.fromkeys(jobs.OUTCOMES, 0)
    for name in jobs.JOBS:
        job = record.of(name)
        for outcome in jobs.OUTCOMES:
            runs[name, outcome] = job.runs.get(outcome, 0)
            if name in _RESTORING:
                restores[outcome] += job.runs.get(outcome, 0)
        last.update(((name, outcome), ended.at) for outcome, ended in job.last.items())
        if job.seconds is not None:
            seconds[name] = job.seconds
    went_well = (record.of(name).last.get(jobs.OK) for name in _RESTORING)
    newest = max(filter(None, went_well), default=None)
    running = [one.job for one in record.running]
    return [
        Told(RUNS, runs),
        Told(LAST_RUN, last),
        *LAST_SECONDS.are_now(seconds),
        *RUNNING.are_now({name: running.count(name) for name in jobs.JOBS}),
        *RESTORES.are_now(restores),
        *RESTORE_SECONDS.is_now(newest and newest.seconds),
    ]


def of_restores(live: Timeline | None, known: list[Point]) -> list[Told]:
    """What the live timeline says of the restore that began it, and the points that came after.

    Args:
        live: that timeline.
        known: the points that there are.
    """
    if live is None or not (live.parent or live.point or live.safety):
        return []
    return RESTORED.is_now(live.created) + FOLLOWED.is_now(
        any(_made_on(point, live) for point in known if point.status == "verified")
    )


def _made_on(point: Point, live: Timeline) -> bool:
    """Whether a backup made a point on a timeline, and not the restore that began it."""
    place = point.manifest["position"]
    return bool(
        place
        and (place["lineage"], place["timeline"]) == (live.lineage, live.number)
        and not point.manifest.get("begins")
    )
