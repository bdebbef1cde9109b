"""The answers of a restore and of its plan, as text for people."""


def restored(result: dict) -> str:
    """What a restore did."""
    base = result["point"] or "the beginning"
    lines = [
        f"restored {result['goal']}: {result['rows']} rows (from {base},"
        f" {result['replayed']} transactions replayed)",
        f"what was there before: {result['safety_point'] or 'nothing'}",
    ]
    if result["already"]:
        lines.append("an earlier attempt of this request did it; nothing was changed now")
    return "\n".join(lines)


def planned(plan: dict) -> str:
    """What a restore would do."""
    left = plan["left_behind"]
    behind = (
        f"transactions {left['first_seq']} to {left['last_seq']} would be left behind"
        if left
        else "no transaction would be left behind"
    )
    if plan["unreadable"]:
        against = f"what is there now cannot be compared: {plan['unreadable']}"
    else:
        against = "{gained} gained, {lost} lost, {changed} changed".format_map(plan)
    return (
        f"{plan['goal']}: {plan['rows']} rows; {against}\n{behind}\n"
        f"about {plan['seconds']:.1f} s; nothing was changed"
    )
