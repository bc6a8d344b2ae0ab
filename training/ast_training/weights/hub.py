"""The published ASTs, and their download from the Hugging Face Hub."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ast_edge.base.errors import BundleError, ConfigError

LICENCE = "BSD-3-Clause"
"""Of all published members."""
_SAMPLE = "sample_audio.flac of the dataset nielsr/audio-spectogram-transformer-checkpoint"
_COMMAND = "first recording of the validation split of Speech Commands v0.02"


@dataclass(frozen=True)
class Member:
    """A model that the authors of AST have published."""

    name: str
    """On the Hub."""
    file: str
    """The authors' own name of it, without `.pth`."""
    quality: str
    logits: tuple[float, float, float]
    """The first three that Hugging Face's conversion demands for `sample`."""
    sample: str = _SAMPLE
    revision: str = "main"
    """A commit where it is known for certain; the branch is resolved when it is downloaded."""


MEMBERS = (
    Member(
        "MIT/ast-finetuned-audioset-10-10-0.4593",
        "audioset_10_10_0.4593",
        "mAP 0.4593, weights averaged",
        (-0.8760, -7.0042, -8.6602),
        revision="f826b80d28226b62986cc218e5cec390b1096902",
    ),
    Member(
        "MIT/ast-finetuned-audioset-10-10-0.450",
        "audioset_10_10_0.4495",
        "mAP 0.4495",
        (-1.1986, -7.0903, -8.2718),
    ),
    Member(
        "MIT/ast-finetuned-audioset-10-10-0.448",
        "audioset_10_10_0.4483",
        "mAP 0.4483",
        (-2.6128, -8.0080, -9.4344),
    ),
    Member(
        "MIT/ast-finetuned-audioset-10-10-0.448-v2",
        "audioset_10_10_0.4475",
        "mAP 0.4475",
        (-1.5080, -7.4534, -8.8917),
    ),
    Member(
        "MIT/ast-finetuned-audioset-12-12-0.447",
        "audioset_12_12_0.4467",
        "mAP 0.4467",
        (-0.5050, -6.5833, -8.0843),
    ),
    Member(
        "MIT/ast-finetuned-audioset-14-14-0.443",
        "audioset_14_14_0.4431",
        "mAP 0.4431",
        (-0.3826, -7.0336, -8.2413),
    ),
    Member(
        "MIT/ast-finetuned-audioset-16-16-0.442",
        "audioset_16_16_0.4422",
        "mAP 0.4422",
        (-1.2113, -6.9101, -8.3470),
    ),
    Member(
        "MIT/ast-finetuned-speech-commands-v2",
        "speechcommands_10_10_0.9812",
        "accuracy 0.9812",
        (6.1589, -8.0566, -8.7984),
        sample=_COMMAND,
    ),
)


@dataclass(frozen=True)
class Snapshot:
    """A model repository as it was at one commit."""

    folder: Path
    origin: str
    """`hf:OWNER/NAME@commit`."""


def find_member(source: str) -> Member | None:
    """Tell which published model a source is: by its name on the Hub, or that of file or folder."""
    name = source.removeprefix("hf:").partition("@")[0]
    path = Path(source)
    for member in MEMBERS:
        if name == member.name or path.stem == member.file or path.name == Path(member.name).name:
            return member
    return None


def download(source: str) -> Snapshot:
    """Fetch `hf:OWNER/NAME`, or with `@revision`, into the Hub's cache; offline take it from there.

    Without a revision a published member comes at its pinned commit, where there is one.

    Raises:
        ConfigError: if it is no name of a repository.
        BundleError: if it can be neither downloaded nor found in the cache.
    """
    found = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", source)
    if found is None:
        raise ConfigError(f"expected hf:OWNER/NAME or hf:OWNER/NAME@REVISION, got {source!r}")
    name, revision = found.groups()
    member = find_member(source)
    revision = revision or (member.revision if member else "main")
    # Read when the package is imported.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    from huggingface_hub import errors, snapshot_download

    def fetch(weights: str) -> Path:
        # Large models lie in several files, with an index beside them.
        patterns = ["config.json", "preprocessor_config.json", weights, f"{weights}.index.json"]
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))

    # The base of all errors of the client that the Hub is asked with.
    http_error = errors.HTTPError  # type: ignore[attr-defined]
    try:
        folder = fetch("model*.safetensors")
        if not list(folder.glob("model*.safetensors")):
            folder = fetch("pytorch_model*.bin")
    except (OSError, ValueError, errors.EntryNotFoundError, http_error) as exc:
        raise BundleError(
            f"{source}: revision {revision!r} can be neither downloaded nor found in the cache of "
            f"the Hub: {str(exc).strip().splitlines()[0]}"
        ) from exc
    return Snapshot(folder, f"hf:{name}@{folder.name}")
