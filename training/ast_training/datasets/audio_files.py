"""Audio files below a folder."""

import os
from pathlib import Path

from ast_edge.errors import ConfigError
from ast_edge.sound_file import AUDIO_SUFFIXES


def find_audio(root: Path) -> list[Path]:
    """List all audio files below a folder, in order, hidden ones left out.

    Raises:
        ConfigError: if it is no folder.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder")
    found = []
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            os.path.join(folder, name)  # noqa: PTH118 (a Path is slow where there are millions)
            for name in files
            if os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES  # noqa: PTH122
            and not name.startswith(".")
        ]
    return [Path(path) for path in sorted(found)]
