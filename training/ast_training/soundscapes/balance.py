"""How often a recording is drawn: labels, packs and sources weigh, not the number of takes."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ast_training.data.recordings import Recording

ENOUGH = 20
"""Sources beyond which a pack weighs no more: its recordings are of one kind all the same."""

Shares = NDArray[np.float64]


def shares(recordings: Sequence[Recording], usable: NDArray[np.bool_]) -> Shares:
    """Return the probability of every recording to be drawn for a label (recordings,).

    A label weighs the square root of its sources, at most `ENOUGH` of a pack. They are shared
    equally by the sources of each pack, and a source's share by its recordings.
    """
    found = np.zeros(len(recordings))
    takes: dict[int, dict[str, dict[str, list[int]]]] = defaultdict(lambda: defaultdict(dict))
    for index, recording in enumerate(recordings):
        for label in recording.targets if usable[index] else ():
            takes[label][recording.pack].setdefault(recording.group, []).append(index)
    for packs in takes.values():
        sizes = {name: min(len(sources), ENOUGH) for name, sources in packs.items()}
        weight = sum(sizes.values()) ** -0.5  # the square root, shared by all
        for name, sources in packs.items():
            for indices in sources.values():
                found[indices] += weight * sizes[name] / len(sources) / len(indices)
    return found / (found.sum() or 1.0)


def by_source(recordings: Sequence[Recording], usable: NDArray[np.bool_]) -> Shares:
    """Return probabilities that are equal for all sources (recordings,), shared by their takes."""
    takes: dict[str, list[int]] = defaultdict(list)
    for index in np.flatnonzero(usable).tolist():
        takes[recordings[index].group].append(index)
    found = np.zeros(len(recordings))
    for indices in takes.values():
        found[indices] = 1 / len(indices)
    return found / (found.sum() or 1.0)
