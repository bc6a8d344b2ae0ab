"""What a tuning promises, and what it cannot."""

from ast_edge.evaluation.view.table import duration, number_of
from ast_edge.tuning.alarms import GRID
from ast_edge.tuning.tuning import CONFIDENCE, Tuning
from ast_edge.tuning.wish import write_rate


def summarize(tuning: Tuning) -> list[str]:
    """Say how many false alarms there were, how many are to be expected, and how sure that is."""
    before = sum(one.alarms_before for one in tuning.labels)
    after = sum(one.alarms_after for one in tuning.labels)
    hours = duration(tuning.hours)
    lines = [
        f"{number_of('false alarm', before)} in {hours} with the settings as they are, {after} "
        f"with the new ones, which were chosen by the same {hours}",
        _held_out(tuning),
    ]
    if not all(one.choice.kept for one in tuning.labels):
        names = ", ".join(one.label.name for one in tuning.labels if not one.choice.kept)
        lines.append(
            f"no threshold up to {GRID[0]} is expected to keep the share of {names}: leave it out, "
            "or try again with more hours"
        )
    if silent := [
        one.label.name for one in tuning.labels if one.references and not one.found_after
    ]:
        lines.append(
            f"nothing of {', '.join(silent)} is found any more: for as many false alarms others "
            "are found more often (--equal-shares gives each as many)"
        )
    if tuning.is_kept:
        where = "other rooms" if tuning.pieces.are_rooms else "other hours of the same rooms"
        lines.append(
            f"the wish, {write_rate(tuning.wish)}, is kept with that confidence, in {where}"
        )
    else:
        lines.append(
            f"the wish, {write_rate(tuning.wish)}, is not promised: none at all in {hours} would "
            f"mean less than {write_rate(tuning.at_best)}, for they come in bursts; it takes "
            f"{duration(tuning.hours_needed)} without any, or more"
        )
    return lines


def _held_out(tuning: Tuning) -> str:
    """Say what there was in rooms, or stretches of time, that took no part in the choice."""
    count, noisy = int(tuning.held_out.sum()), int((tuning.held_out > 0).sum())
    pieces = "rooms" if tuning.pieces.are_rooms else "stretches of time"
    return (
        f"{count} where each fifth of it had settings chosen by the rest, in {noisy} of "
        f"{len(tuning.held_out)} {pieces}: that means less than {write_rate(tuning.limit)} "
        f"({CONFIDENCE:.0%} confidence)"
    )
