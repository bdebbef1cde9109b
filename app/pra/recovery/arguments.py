"""What the command line and a job's environment ask a restore for."""

import argparse
import re
from typing import TYPE_CHECKING, NamedTuple

from pra.base import clock, moments
from pra.base.errors import UsageError
from pra.base.settings import Settings
from pra.pitr import by_time, targets
from pra.pitr.targets import Goal
from pra.points import catalogue
from pra.recovery.restore import Choice

if TYPE_CHECKING:
    from pra.points.archive import Copy


class Asked(NamedTuple):
    """What is asked for: in words that are the same at each attempt, and how to find it."""

    target: str
    choose: Choice


def of_options(config: Settings, options: argparse.Namespace) -> Asked:
    """What ``restore`` was asked for.

    Raises:
        UsageError: that can be no target, or there are two.
    """
    if options.point and (options.to or options.to_before is not None):
        raise UsageError(
            "reading the command line", "a point and a moment were given", "give one of them"
        )
    if options.to:
        return _at(options.to)
    if options.to_before is not None:
        return _before(options.to_before)
    if options.point is None:
        _refuse_moving(config.restore_point)
    return named(options.point or config.restore_point)


def named(name: str) -> Asked:
    """What a target's name asks for.

    Raises:
        UsageError: that can be no target.
    """
    if name in ("latest", "current"):
        return Asked(name, getattr(targets, name))
    if name == "undo":
        return undo()
    if before := re.fullmatch(r"before:([0-9]{1,18})", name):
        return _before(int(before[1]))
    if moments.is_one(name):
        return _at(name)
    return Asked(name, lambda where, known: targets.exact_point(catalogue.find(known, name)))


def undo() -> Asked:
    """What was there before the last restore."""
    return Asked("undo", targets.undo)


def adopt(copy: "Copy") -> Asked:
    """An exported copy."""
    goal = Goal(targets.COPY, copy=copy)
    return Asked(f"{goal.label} {copy.content['sha256']}", lambda where, known: goal)


def _before(seq: int) -> Asked:
    return Asked(f"before:{seq}", lambda where, known: targets.just_before(where, seq))


def _at(text: str) -> Asked:
    moment = moments.parse(text)
    label = f"--to {clock.rfc3339(moment, 3)}"
    return Asked(label, lambda where, known: by_time.at_time(where, known, moment, label))


def _refuse_moving(text: str) -> None:
    if moments.is_relative(text):
        raise UsageError(
            "reading PRA_RESTORE_POINT",
            f"{text!r} would be another moment with each attempt of a job",
            f"give the moment that python -m pra moment {text!r} says",
        )
