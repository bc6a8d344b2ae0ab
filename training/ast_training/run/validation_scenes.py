"""Scenes of held-out recordings on which the steps of a model are scored after every epoch."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from ast_edge.detection.aggregator import LATENCY_SECONDS, Aggregator
from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.span import Span
from ast_edge.frontend.fbank import LOG_FLOOR, FbankSpec, fbank
from ast_edge.model.spec import ModelSpec
from ast_training.measure.event_figures import EventFigures, Scene, event_figures
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.recipe.recipe import Recipe
from ast_training.run.training_data import open_composer
from ast_training.soundscapes.composer import Composer, PlacedEvent
from ast_training.soundscapes.scenes import SECONDS, merged

SEED = 1
"""Of the scenes, whatever that of the run is: so the figures of runs can be compared."""
EVENTS, OTHERS = 6.0, 2.0
"""Mean numbers of sounds with and without a label in a minute."""
EMPTY = 4
"""One in so many minutes has no event."""
HOP_SECONDS = 1.0
"""Coarser than at the edge (0.5 s), for speed."""

Spans = dict[int, list[Span]]
"""By the label's column, each by onset."""


@dataclass(frozen=True, eq=False)
class _Minute:
    features: NDArray[np.float16]
    """(frames, mels)."""
    references: Spans
    open: Spans
    """Where labels may sound: nobody said."""


class ValidationScenes:
    """Minutes that are composed once; the windows of a model slide over them as at the edge."""

    def __init__(self, recipe: Recipe) -> None:
        """Compose the recipe's `soundscapes.validation_minutes` of what it validates on.

        Raises:
            ConfigError: if no recording of those has a label.
        """
        self._model, self._spec = recipe.model_spec, recipe.fbank_spec
        self._wanted = np.array([not recipe.wanted or n in recipe.wanted for n in recipe.labels])
        composer = open_composer(recipe, "validation")
        numbers = range(recipe.soundscapes.validation_minutes)
        self._minutes = [_compose(composer, number, self._spec) for number in numbers]

    def __len__(self) -> int:
        return len(self._minutes)

    def score(self, model: AudioSpectrogramTransformer) -> EventFigures:
        """Work out how well the steps of the model, in float32, tell of events."""
        return event_figures([self._scene(minute, model) for minute in self._minutes])

    def _scene(self, minute: _Minute, model: AudioSpectrogramTransformer) -> Scene:
        hop = round(HOP_SECONDS * 1000 / self._spec.frame_shift_ms)
        ends, windows = sliding(minute.features, self._model.frames, hop, self._spec)
        curve = aggregated(
            step_probabilities(model, windows),
            ends,
            len(minute.features),
            self._model,
            self._spec,
        )
        silence_unknown(curve, minute.open, minute.references)
        curve.scores[:, ~self._wanted] = 0
        references = {n: spans for n, spans in minute.references.items() if self._wanted[n]}
        return Scene(curve, _seconds(len(minute.features), self._spec), references)


def sliding(
    features: NDArray[np.floating], frames: int, hop: int, spec: FbankSpec
) -> tuple[list[int], NDArray[np.float32]]:
    """Cut features (n, mels) as the edge does: silence before, and after until all was told.

    Returns:
        The frame at which each window ends, and the windows (windows, frames, mels).
    """
    count, silence = len(features), np.full((frames, features.shape[1]), LOG_FLOOR)
    padded = np.concatenate([silence, features, silence]).astype(np.float32)
    latency = round(LATENCY_SECONDS * spec.sample_rate / spec.frame_shift)
    due = sorted({*range(hop, count + frames + 1, hop), count})
    ends = [end for before, end in pairwise([0, *due]) if before < count + latency]
    return ends, np.stack([padded[end : end + frames] for end in ends])


@torch.inference_mode()
def step_probabilities(
    model: AudioSpectrogramTransformer, windows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Score the steps of windows (n, frames, mels): (n, steps, labels)."""
    device = next(model.parameters()).device
    _, frame = model.forward_both(torch.from_numpy(windows).to(device))
    scores: NDArray[np.float32] = frame.sigmoid().cpu().numpy()
    return scores


def aggregated(
    scores: NDArray[np.float32], ends: Iterable[int], count: int, model: ModelSpec, spec: FbankSpec
) -> Curve:
    """Make one score for every moment of what windows say that end with these frames of `count`."""
    aggregator = Aggregator(model, spec, LATENCY_SECONDS)
    moments = []
    for end, steps in zip(ends, scores, strict=True):
        start = (end - model.frames) * spec.frame_shift / spec.sample_rate
        moments += aggregator.feed(start, _seconds(min(end, count), spec), steps)
    moments += aggregator.flush()
    offsets = np.array([one.end for one in moments])
    return Curve(
        np.array([one.start for one in moments]),
        offsets,
        offsets,
        np.stack([one.probabilities for one in moments]),
    )


def silence_unknown(curve: Curve, unknown: Spans, references: Spans) -> None:
    """Set the scores of labels to 0 where they may sound: what is reported there is not wrong."""
    for label, spans in unknown.items():
        inside = _lies_in(curve, spans) & ~_lies_in(curve, references.get(label, []))
        curve.scores[inside, label] = 0


def _compose(composer: Composer, number: int, spec: FbankSpec) -> _Minute:
    rng = np.random.default_rng((SEED, number))
    count = 0 if number % EMPTY == EMPTY - 1 else max(1, int(rng.poisson(EVENTS)))
    others = int(rng.poisson(OTHERS))
    scape = composer.compose(SECONDS, count, rng, others=others, whole=True)
    return _Minute(
        fbank(scape.samples, spec).astype(np.float16),
        _by_label(merged(scape.events)),
        _by_label(scape.unsaid),
    )


def _by_label(events: Iterable[PlacedEvent]) -> Spans:
    spans = defaultdict(list)
    for one in sorted(events, key=lambda event: event.onset):
        spans[one.label].append(Span(one.onset, one.offset))
    return dict(spans)


def _lies_in(curve: Curve, spans: Iterable[Span]) -> NDArray[np.bool_]:
    inside = np.zeros(len(curve.onsets), bool)
    for span in spans:
        inside |= (curve.onsets < span.offset) & (curve.offsets > span.onset)
    return inside


def _seconds(frames: int, spec: FbankSpec) -> float:
    return spec.samples_in(frames) / spec.sample_rate
