"""The folder of an archive's results: what it was made with, and the names of its files."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ast_edge import __version__
from ast_edge.archive.errors import ArchiveError, ArchiveStorageError
from ast_edge.archive.job import digest
from ast_edge.archive.recordings import Shard

TABLES = ("events", "tags", "files", "errors", "scores", "embeddings")
_ABOUT = "archive.json"
_SHOWN = 60


@dataclass(frozen=True)
class Folder:
    """The results of one shard, among those of others."""

    path: Path
    shard: Shard

    @property
    def journal(self) -> Path:
        """Where what is known so far is kept."""
        return self.path / f"journal{self.shard.suffix}.sqlite"

    def table(self, name: str) -> Path:
        """Return where a table of this shard is."""
        return self.path / f"{name}{self.shard.suffix}.parquet"

    def claim(self, parameters: dict[str, Any]) -> None:
        """Make the folder one of results by these parameters, which it stays.

        Raises:
            ArchiveError: it holds results by others, of other shards, or something else.
            ArchiveStorageError: it cannot be written.
        """
        about = {
            "ast_edge": __version__,
            "parameters_hash": digest(parameters),
            "shards": self.shard.count,
            "parameters": parameters,
        }
        text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            partial = self.path / f".{_ABOUT}.{os.getpid()}"
            partial.write_text(text, "utf-8")
            try:
                _place(partial, self.path / _ABOUT)  # of several shards the first one does it
            except FileExistsError:
                self._compare(about)
            finally:
                partial.unlink(missing_ok=True)
        except (FileExistsError, NotADirectoryError) as exc:
            raise ArchiveError(f"--out {self.path}: expected a folder, got a file") from exc
        except OSError as exc:
            raise ArchiveStorageError(
                f"--out {self.path}: cannot be written: {exc.strerror}"
            ) from exc

    def _compare(self, wanted: dict[str, Any]) -> None:
        found = read_about(self.path)
        if found.get("shards") != wanted["shards"]:
            raise ArchiveError(
                f"{self.path}: is made of {found.get('shards')} shard(s), not {wanted['shards']}: "
                "in others the same recording would be found twice; use another folder"
            )
        if found.get("parameters_hash") != wanted["parameters_hash"]:
            difference = _difference(found.get("parameters"), wanted["parameters"])
            raise ArchiveError(
                f"{self.path}: was made with other parameters ({difference}); give the same, or "
                "use another folder"
            )


def _place(partial: Path, place: Path) -> None:
    """Give a file its name; raises FileExistsError if there is one of that name."""
    try:
        os.link(partial, place)
    except FileExistsError:
        raise
    except OSError:  # of a file system without hard links
        if place.exists():
            raise FileExistsError(place) from None
        partial.replace(place)


def read_about(path: Path) -> dict[str, Any]:
    """Return what a folder of results says of itself.

    Raises:
        ArchiveError: it is none.
    """
    try:
        about = json.loads((path / _ABOUT).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise ArchiveError(
            f"{path}: expected a folder that `ast-edge tag` or `replay` has written by --out"
        ) from exc
    except (OSError, ValueError) as exc:
        raise ArchiveError(f"{path / _ABOUT}: cannot be read: {exc}") from exc
    if not isinstance(about, dict) or not isinstance(about.get("parameters"), dict):
        raise ArchiveError(f"{path / _ABOUT}: expected what a run says of itself")
    return about


def _difference(found: object, wanted: dict[str, Any]) -> str:
    """Say in what parameters differ, the first of them."""
    if not isinstance(found, dict):
        return "what they were is lost"
    for key in wanted:
        if found.get(key) != wanted[key]:
            old, new = (json.dumps(one)[:_SHOWN] for one in (found.get(key), wanted[key]))
            return key if len(new) == len(old) == _SHOWN else f"{key}: {old}, not {new}"
    return "others"
