"""Moments as people write them: by date with an offset, or so long ago."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from pra.base import clock
from pra.base.errors import UsageError

_ZONE = r"(?:Z|UTC|UT|GMT)?(?:[+-][0-9]{2}(?::?[0-9]{2})?)?"
_TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
#: RFC 3339 and what ``date -I`` and a browser make of it, the offset being checked later.
_ISO = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[Tt ]({_TIME}) ?({_ZONE})", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS = {
    1: "s sec secs second seconds seconde secondes",
    60: "m min mins minute minutes",
    3600: "h hour hours heure heures",
    86_400: "d day days j jour jours",
    604_800: "w week weeks semaine semaines",
}
_SECONDS = {name: seconds for seconds, names in _UNITS.items() for name in names.split()}
_PART = r"[0-9]{1,6} ?[a-z]+"
_AGO = re.compile(rf"(?:il y a ({_PART}(?: {_PART})*)|({_PART}(?: {_PART})*) ago)", re.IGNORECASE)
_NEXT = (
    "write it like 2026-11-21T10:15:00Z, 2026-11-21T11:15:00+01:00, '10 min ago' or 'il y a 10 min'"
)


class _Odd(ValueError):
    """What is wrong with a moment."""


def is_one(text: str) -> bool:
    """Whether a text is meant to be a moment rather than the name of something."""
    return text[:1] == "@" or text[:1].isdigit() or _spelled_out(text) or is_relative(text)


def is_relative(text: str) -> bool:
    """Whether a moment depends on when it is read."""
    return _AGO.fullmatch(" ".join(text.split())) is not None


def parse(text: str) -> float:
    """Seconds since 1970 of a moment.

    Understood are RFC 3339 (``2026-11-21T10:15:00Z``), the same with an offset or a
    space, what ``date``, ``date -R`` and a browser write, ``@`` and seconds since 1970,
    and how long ago it was, in English or French.

    Raises:
        UsageError: it is no such moment, or names no time zone.
    """
    plain = " ".join(text.split())
    readings: list[Callable[[str], datetime | None]] = [_ago, _epoch, _iso, _spelled]
    try:
        found = next((moment for read in readings if (moment := read(plain))), None)
        if found is None:
            raise _Odd("it is no moment")
        return found.timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError("reading a moment", f"{text!r}: {error}", _NEXT) from None


def _ago(text: str) -> datetime | None:
    found = _AGO.fullmatch(text)
    if not found:
        return None
    seconds = 0
    for count, unit in re.findall(r"([0-9]+) ?([a-z]+)", (found[1] or found[2]).lower()):
        if unit not in _SECONDS:
            raise _Odd(f"{unit} is no unit of time")
        seconds += int(count) * _SECONDS[unit]
    return datetime.fromtimestamp(clock.now_ms() / 1000, timezone.utc) - timedelta(seconds=seconds)


def _epoch(text: str) -> datetime | None:
    found = re.fullmatch(r"@([0-9]{1,11}(?:\.[0-9]{1,9})?)", text)
    return datetime.fromtimestamp(float(found[1]), timezone.utc) if found else None


def _iso(text: str) -> datetime | None:
    found = _ISO.fullmatch(text)
    if not found:
        return None
    return _moment(*map(int, found[1].split("-")), found[2], found[3])


def _spelled_out(text: str) -> bool:
    """Whether a text begins as ``date`` does, with a day of the week."""
    return text[:3].lower() in _DAYS and text[3:4] in (" ", ",")


def _spelled(text: str) -> datetime | None:
    """Of ``Sat Nov 28 08:39:28 UTC 2026`` and its relatives: each part says what it is."""
    parts: dict[str, str] = {}
    for word in re.sub(r" \(.*\)$", "", text).replace(",", " ").split():
        kind = _kind(word)
        if kind is None and "time" in parts:
            raise _Odd(f"{word} is no offset that is the same everywhere")
        if kind is None or kind in parts:
            return None
        parts[kind] = word
    if not {"month", "day", "year", "time"} <= set(parts):
        return None
    month = 1 + _MONTHS.index(parts["month"].lower())
    zone, half = parts.get("zone", ""), parts.get("half", "").lower()
    moment = _moment(int(parts["year"]), month, int(parts["day"]), parts["time"], zone)
    if half:
        moment = moment.replace(hour=moment.hour % 12 + 12 * (half == "pm"))
    return moment


def _kind(word: str) -> str | None:
    """Which part of a date a word is; None if of none."""
    lower = word.lower()
    kinds = {
        "weekday": lower in _DAYS,
        "month": lower in _MONTHS,
        "half": lower in ("am", "pm"),
        "day": re.fullmatch(r"[0-9]{1,2}", word),
        "year": re.fullmatch(r"[0-9]{4}", word),
        "time": re.fullmatch(_TIME, word),
        "zone": re.fullmatch(_ZONE, word, re.IGNORECASE),
    }
    return next((kind for kind, is_it in kinds.items() if is_it), None)


def _moment(year: int, month: int, day: int, time: str, zone: str) -> datetime:
    hours, minutes, *rest = time.replace(",", ".").split(":")
    seconds, _, fraction = (rest[0] if rest else "0").partition(".")
    micros = int(fraction[:6].ljust(6, "0"))
    return datetime(
        year, month, day, int(hours), int(minutes), int(seconds), micros, tzinfo=_offset(zone)
    )


def _offset(zone: str) -> timezone:
    if not zone:
        raise _Odd("it names no time zone")
    found = re.search(r"([+-])([0-9]{2}):?([0-9]{2})?$", zone)
    if not found:
        return timezone.utc
    distance = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return timezone(-distance if found[1] == "-" else distance)
