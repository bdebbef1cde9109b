"""The manifest beside a point: what was verified when the point was made."""

import re
from itertools import repeat

from pra.base import sealing

FORMAT = 1
KEPT_STATUS = ("verified", "quarantined", "safety")
_ABSENT = object()
_FIELDS = {
    "format": int,
    "name": str,
    "serial": int,
    "created": str,
    "created_epoch": int,
    "created_time": (int, float),
    "bytes": int,
    "sha256": str,
    "status": str,
    "rows": (int, type(None)),
    "max_id": (int, type(None)),
    "reason": (str, type(None)),
    "position": (dict, type(None)),
}
#: Those that not every manifest has.
_OPTIONAL = {
    "lineage": (str, type(None)),
    "steady_time": (int, float),
    "clock": (str, type(None)),
    "begins": bool,
    "accepted": bool,
    "suspect_since": (int, type(None)),
}
_HASH = re.compile("(?:[0-9a-f]{2})*")
_PLACE = {"lineage": str, "timeline": int, "seq": int, "hash": str}


def decode(raw: bytes, name: str) -> dict:
    """Read the manifest of the point ``name``.

    Raises:
        ValueError: says what is wrong with it.
    """
    content = sealing.unseal(raw)
    # One pass in C where all is well: listings decode thousands of these.
    if not all(map(isinstance, map(content.get, _FIELDS, repeat(_ABSENT)), _FIELDS.values())):
        field = next(
            f for f, kind in _FIELDS.items() if not isinstance(content.get(f, _ABSENT), kind)
        )
        raise ValueError(f"the manifest has no valid {field}")
    if content["format"] != FORMAT:
        raise ValueError(f"the manifest has format {content['format']}, known is {FORMAT}")
    if content["name"] != name:
        raise ValueError(f"the manifest belongs to {content['name']}")
    if content["status"] not in KEPT_STATUS:
        raise ValueError(f"the manifest has the unknown status {content['status']!r}")
    for field in content.keys() & _OPTIONAL.keys():
        if not isinstance(content[field], _OPTIONAL[field]):
            raise ValueError(f"the manifest has no valid {field}")
    place = content["position"]
    if place and not _is_place(place):
        raise ValueError("the manifest has no valid position")
    # Manifests of earlier versions name the history only where they name a position.
    content.setdefault("lineage", (place or {}).get("lineage"))
    return content


def _is_place(place: dict) -> bool:
    if not all(isinstance(place.get(field), kind) for field, kind in _PLACE.items()):
        return False
    return _HASH.fullmatch(place["hash"]) is not None


def proves_content(content: dict) -> bool:
    """Whether the file was checked when the manifest was made; a raw copy was not."""
    return content["rows"] is not None
