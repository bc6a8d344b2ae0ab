"""What a tuning promises, and what it cannot."""

from ast_edge.evaluation.poisson import poisson_limit
from ast_edge.evaluation.table import duration, number_of
from ast_edge.tuning.alarms import GRID
from ast_edge.tuning.tuning import CONFIDENCE, Tuning
from ast_edge.tuning.wish import write_rate


def summarize(tuning: Tuning) -> list[str]:
    """Say how many false alarms there were, how many are to be expected, and how sure that is."""
    before = sum(one.alarms_before for one in tuning.labels)
    after = sum(one.alarms_after for one in tuning.labels)
    hours = duration(tuning.hours)
    lines = [
        f"{number_of('false alarm', before)} in {hours} with the thresholds as they are, {after} "
        f"with the new ones, which were chosen by the same {hours}",
        f"{tuning.held_out} where each fifth of it had thresholds chosen by the rest: that means "
        f"less than {write_rate(tuning.limit)} ({CONFIDENCE:.0%} confidence)",
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
    if tuning.limit <= tuning.wish:
        lines.append(f"the wish, {write_rate(tuning.wish)}, is kept with that confidence")
    else:
        lines.append(
            f"the wish, {write_rate(tuning.wish)}, cannot be promised by so little: at best, none "
            f"in {hours} would mean less than {write_rate(poisson_limit(0) / tuning.hours)}; it "
            f"takes {duration(tuning.hours_needed)} without any"
        )
    return lines
