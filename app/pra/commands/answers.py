"""The answers of a restore and of its plan, as text for people."""

from pra.pitr import targets


def restored(result: dict) -> str:
    """What a restore did."""
    # An answer that a version before gave to the same request names no others.
    kept = [*filter(None, [result["safety_point"]]), *result.get("also_kept", [])]
    lines = [
        f"restored {result['goal']}: {result['rows']} rows ({_way(result)})",
        f"what was there before: {', '.join(kept) or 'nothing'}",
    ]
    lines += _warnings(result)
    if result["already"]:
        lines.append("an earlier attempt of this request did it; nothing was changed now")
    return "\n".join(lines)


def _way(result: dict) -> str:
    if result["goal"] == targets.COPY:
        return "taken as it is"
    base = result["point"] or "the beginning of the journal"
    return f"from {base}, {result['replayed']} transactions replayed"


def planned(plan: dict) -> str:
    """What a restore would do."""
    left = plan["left_behind"]
    behind = (
        f"transactions {left['first_seq']} to {left['last_seq']} would be left behind"
        if left
        else "no transaction would be left behind"
    )
    if left and (plan["lost"], plan["changed"]) == (0, 0):
        behind += ", and no row that is there now would be lost"
    if plan["unreadable"]:
        against = f"what is there now cannot be compared: {plan['unreadable']}"
    else:
        against = "{gained} gained, {lost} lost, {changed} changed".format_map(plan)
    lines = [
        f"{plan['goal']}: {plan['rows']} rows; {against}",
        behind,
        *_warnings(plan),
        f"about {plan['seconds']:.1f} s; nothing was changed",
    ]
    return "\n".join(lines)


def _warnings(answer: dict) -> list[str]:
    return [f"WARNING: {one}" for one in answer["warnings"]]
