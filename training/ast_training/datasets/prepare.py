"""Make a folder that can be trained on from the recordings of a data set."""

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from rich.console import Console

from ast_edge.base.errors import AudioError, ConfigError
from ast_edge.frontend.fbank import FbankSpec, RollingFbank, fbank
from ast_training.base.atomic_file import atomic_file
from ast_training.base.progress import progress_bar
from ast_training.base.workers import map_in_processes, processors
from ast_training.data.clip_list import SPLITS, ClipList, RawClip
from ast_training.data.clips import FORMAT, SAMPLE_RATE, Clip, ClipSet
from ast_training.data.decoding import AudioBytes, decode, resample
from ast_training.data.feature_cache import remove_cache, write_cache
from ast_training.data.moments import Moments
from ast_training.data.sources import source_of_name

SILENCE = 1e-4
"""A recording whose samples all lie below this (-80 dB of full scale) is silent: digital silence,
or the dither of a converter."""

CONVERSION = 2
"""Counts the ways in which recordings were converted: those of an older one are made anew."""

LONGEST_STEM = 120
"""Bytes that a converted recording keeps of its name; file systems know 255 in all."""

LISTED = 1000
"""Reasons for skipping that `set.json` has; `skipped.txt` has all."""


@dataclass(frozen=True)
class Checked:
    """A recording that can be used, and where."""

    source: AudioBytes
    seconds: float
    moments: Moments
    """Of its fbank; of nothing if it is not to train on."""


@dataclass
class Tally:
    """What has been found in a set so far."""

    skipped: list[str]
    """Why recordings were left out."""
    clips: Counter[str] = field(default_factory=lambda: Counter({split: 0 for split in SPLITS}))
    """How many each split has."""
    seconds: float = 0.0
    moments: Moments = field(default_factory=Moments)
    """Of the clips to train on."""

    def add(self, clip: RawClip, result: Checked | str) -> None:
        """Count a recording that was checked."""
        if isinstance(result, str):
            self.skipped.append(result)
            return
        self.clips[clip.split] += 1
        self.seconds += result.seconds
        self.moments += result.moments


def prepare(
    clips: ClipList,
    out: Path,
    *,
    jobs: int | None = None,
    copy: bool = False,
    keep_silent: bool = False,
    cache_features: bool = False,
    console: Console | None = None,
) -> ClipSet:
    """Check every recording, convert it if need be, and write the folder `out`.

    What libsndfile reads as mono at 16 kHz is used where it is; all else is converted to 16-bit
    FLAC in `out/audio`, where a later call finds it, as long as the original is the same byte by
    byte. What cannot be decoded, is silent or shorter than a frame is left out and listed in
    `out/skipped.txt`.

    Args:
        clips: the recordings.
        out: the folder, made or brought up to date.
        jobs: processes; one for each processor by default.
        copy: put every recording into `out/audio`, so that the folder can be moved.
        keep_silent: take silent recordings (AudioSet has a label for them).
        cache_features: store all fbanks too; else those of a former call are removed, for the
            sound of a clip may have changed.
        console: where to show the progress.

    Raises:
        ConfigError: if no recording to train on is left.
        TrainingError: if the disk is full; what was there stays.
    """
    jobs, out = jobs or processors(), out.absolute()
    check = partial(check_clip, out=out, copy=copy, keep_silent=keep_silent)
    tally = Tally(skipped=list(clips.missing))
    with progress_bar(console) as bar, atomic_file(out / "clips.jsonl") as path:
        results = zip(clips.clips, map_in_processes(check, clips.clips, jobs), strict=True)
        with path.open("w", encoding="utf-8") as file:
            for clip, result in bar.track(results, len(clips.clips), description="check"):
                tally.add(clip, result)
                if isinstance(result, Checked):
                    file.write(json.dumps(_row(clip, result, out), ensure_ascii=False) + "\n")
        if not tally.clips["train"]:
            raise ConfigError(
                f"{clips.dataset}: no recording to train on is left of {len(clips.clips)}: "
                f"{tally.skipped[0] if tally.skipped else 'all are of other splits'}"
            )
    with atomic_file(out / "skipped.txt") as path:
        path.write_text("".join(f"{reason}\n" for reason in tally.skipped), encoding="utf-8")
    with atomic_file(out / "set.json") as path:
        tree = _description(clips, tally)
        path.write_text(json.dumps(tree, indent=2, ensure_ascii=False), encoding="utf-8")
    remove_cache(out)
    if cache_features:
        _cache(ClipSet.open(out), FbankSpec(), jobs, console)
    return ClipSet.open(out)


def _description(clips: ClipList, tally: Tally) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "dataset": clips.dataset,
        "licence": clips.licence,
        "sample_rate": SAMPLE_RATE,
        "mean": tally.moments.mean,
        "std": tally.moments.std,
        "clips": dict(tally.clips),
        "seconds": round(tally.seconds, 3),
        "labels": [asdict(label) for label in clips.labels],
        "skipped": len(tally.skipped),
        "reasons": tally.skipped[:LISTED],
    }


def check_clip(clip: RawClip, out: Path, copy: bool, keep_silent: bool) -> Checked | str:
    """Check a recording and convert it if need be; return why, if it cannot be used.

    Raises:
        TrainingError: if the converted recording cannot be written.
    """
    try:
        return _check(clip, out / "audio" / _file_name(clip.name), copy, keep_silent)
    except AudioError as exc:
        return str(exc)


def _check(clip: RawClip, converted: Path, copy: bool, keep_silent: bool) -> Checked:
    original = AudioBytes(clip.path.absolute(), clip.offset, clip.size)
    source = AudioBytes(converted) if _is_of(converted, original) else original
    sound = decode(source)
    samples = resample(sound, SAMPLE_RATE)
    if len(samples) < FbankSpec().frame_length:
        raise AudioError(f"{original}: shorter than a frame of {FbankSpec().frame_length_ms:g} ms")
    if np.abs(samples).max() < SILENCE and not keep_silent:
        raise AudioError(f"{original}: silent (no sample reaches {SILENCE:g} of full scale)")
    as_it_is = (sound.rate, sound.channels, sound.by_ffmpeg) == (SAMPLE_RATE, 1, False)
    if source is original and (copy or not as_it_is):
        samples = _write_flac(converted, samples, _origin(original))
        source = AudioBytes(converted)
    moments = _moments(samples) if clip.split == "train" else Moments()
    return Checked(source, len(samples) / SAMPLE_RATE, moments)


def _moments(samples: NDArray[np.float32]) -> Moments:
    """Sum over the fbank, a minute at a time: that of an hour would take 3 GB."""
    rolling, minute = RollingFbank(FbankSpec()), 60 * SAMPLE_RATE
    pieces = np.split(samples, range(minute, len(samples), minute))
    return sum((Moments.of(rolling.feed(piece)) for piece in pieces), Moments())


def _file_name(name: str) -> str:
    """Make a safe path of any name; the hash keeps names apart and folders small."""
    digest = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    stem = re.sub(r"[^\w-]+", "_", PurePath(name).with_suffix("").as_posix())
    shortened = stem.encode()[-LONGEST_STEM:].decode(errors="ignore")
    return f"{digest[:2]}/{shortened}-{digest[:12]}.flac"


def _origin(original: AudioBytes) -> str:
    """Say what a conversion is made of, and how."""
    return f"ast-train {CONVERSION}, of {original.sha256()}"


def _is_of(converted: Path, original: AudioBytes) -> bool:
    """Tell whether a converted recording was made of the original as it is now.

    Times tell nothing: a copy may keep that of another recording.
    """
    if not converted.exists():
        return False
    origin = _origin(original)
    try:
        with soundfile.SoundFile(converted) as file:
            return bool(file.comment == origin)
    except soundfile.SoundFileError:
        return False  # damaged


def _write_flac(path: Path, samples: NDArray[np.float32], origin: str) -> NDArray[np.float32]:
    """Write samples, and what they are of; return them as they will be read."""
    integers = np.rint(samples * 32768).clip(-32768, 32767).astype(np.int16)
    encoded = io.BytesIO()
    with soundfile.SoundFile(encoded, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as file:
        file.comment = origin
        file.write(integers)
    with atomic_file(path) as partial_path:
        # No view of the buffer: what an error keeps of it would forbid its end (Python 3.13).
        partial_path.write_bytes(encoded.getvalue())
    return integers.astype(np.float32) / np.float32(32768)


def _row(clip: RawClip, checked: Checked, out: Path) -> dict[str, Any]:
    source = checked.source
    inside = source.path.is_relative_to(out)
    row: dict[str, Any] = {
        "name": clip.name,
        "path": str(source.path.relative_to(out) if inside else source.path),
        "labels": clip.labels,
        "split": clip.split,
        "group": clip.group or source_of_name(clip.name),
        "seconds": round(checked.seconds, 6),
    }
    if clip.fold:
        row["fold"] = clip.fold
    if source.offset is not None:
        row |= {"offset": source.offset, "size": source.size}
    return row


def _cache(clips: ClipSet, spec: FbankSpec, jobs: int, console: Console | None) -> None:
    with progress_bar(console) as bar:
        fbanks = map_in_processes(partial(_fbank_of, spec=spec), _each(clips), jobs)
        shown = bar.track(fbanks, len(clips), description="fbanks")
        write_cache(clips.folder, spec, clips.seconds, shown)


def _each(clips: ClipSet) -> Iterator[Clip]:
    return (clips[index] for index in range(len(clips)))


def _fbank_of(clip: Clip, spec: FbankSpec) -> NDArray[np.float32]:
    return fbank(clip.samples(), spec)
