"""Speech Commands V2 (Warden 2018): a folder for every word, and the official split."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.text_file import read_text
from ast_edge.model.label import Label
from ast_training.data.audio_files import find_audio
from ast_training.data.clip_list import ClipList, RawClip, Split, unknown_label
from ast_training.data.labels import label_table

LISTS: dict[str, Split] = {"validation_list.txt": "validation", "testing_list.txt": "test"}
BUCKETS = 2**27 - 1


def read_speechcommands(root: Path, words: Sequence[str] = ()) -> ClipList:
    """List the recordings of the words, without the background noises.

    The split is that of `validation_list.txt` and `testing_list.txt`; without them it follows from
    the speaker in the file name by the rule that those lists were made with.

    Args:
        root: the folder of the word folders, or one that has it as `audio/`.
        words: which to take; all 35 by default.

    Raises:
        ConfigError: if a word is unknown or its folder is missing, or only one list is there.
    """
    known = [label.name for label in label_table("speechcommands")]
    for word in words:
        if word not in known:
            raise ConfigError(f"--words: {unknown_label(word, known)}")
    chosen = [word for word in known if not words or word in words]
    audio = root / "audio" if (root / "audio").is_dir() else root
    absent = [word for word in chosen if not (audio / word).is_dir()]
    if absent:
        there = [word for word in known if (audio / word).is_dir()]
        raise ConfigError(
            f"{audio}: expected a folder for every word, got none for {', '.join(absent)}; choose "
            f"from those that are there: --words {' '.join(there) or '(none)'}"
        )
    listed = _read_lists(root)
    clips: list[RawClip] = []
    missing: list[str] = []
    for word in chosen:
        found = find_audio(audio / word)
        missing += found.others
        for path in found.audio:
            key = f"{word}/{path.stem}"
            split = listed.get(key, "train") if listed else hash_split(path.name)
            speaker = path.name.partition("_nohash_")[0]
            clips.append(RawClip(f"{word}/{path.name}", path, (word,), split, group=speaker))
    labels = tuple(Label(index, word, "") for index, word in enumerate(chosen))
    licence = "CC BY 4.0 (Speech Commands)"
    return ClipList("Speech Commands V2", labels, clips, tuple(missing), licence)


def hash_split(file_name: str) -> Split:
    """Compute the official split of a recording: 10 % of the speakers validate, 10 % test."""
    speaker = file_name.split("_nohash_")[0]
    bucket = int(hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16)
    percentage = bucket % (BUCKETS + 1) * (100.0 / BUCKETS)
    return "validation" if percentage < 10 else "test" if percentage < 20 else "train"


def _read_lists(root: Path) -> dict[str, Split]:
    """Read which recordings validate or test, as word/stem: the copies differ in the suffix."""
    there = [root / name for name in LISTS if (root / name).is_file()]
    if len(there) == 1:
        raise ConfigError(f"expected {' and '.join(LISTS)} in {root}, got only {there[0].name}")
    return {
        Path(line).with_suffix("").as_posix(): LISTS[path.name]
        for path in there
        for line in read_text(path).split()
    }
