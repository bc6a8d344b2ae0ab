"""Bundles that give embeddings, and the bank of sounds that own labels are learnt against."""

import json
import logging
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.enrolment.bank import make_bank, write_bank
from ast_edge.model.bundle import Bundle, load_bundle
from ast_edge.model.bundle_files import BANK_FILE
from ast_export.bundle_folder import check_place, replace_folder, write_json
from ast_export.embedding import add_embeddings

log = logging.getLogger(__name__)

LIMIT = 1e-6
"""Largest difference in probability that another output of the same graph may make."""
WINDOWS = 8


def embed(folder: Path, out: Path, bank: Sequence[Path]) -> float:
    """Write a bundle again, with embeddings and a bank; return how far its scores have moved.

    Its network, labels and settings stay as they are. `out` may be the bundle itself.

    Raises:
        BundleError: if its graph has no embedding that could be named, its scores have moved by
            more than `LIMIT`, or `out` cannot be written.
        AudioError: if a folder for the bank has no recording that can be used.
    """
    out = out.resolve()
    check_place(out)
    before = load_bundle(folder)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            copy = shutil.copytree(folder, Path(scratch) / out.name)
            add_to_bundle(copy, bank)
            moved = _difference(before, load_bundle(copy))
            if not moved <= LIMIT:
                raise BundleError(f"{folder}: its scores would move by {moved:.1e}; not written")
            replace_folder(copy, out)
    except OSError as exc:
        raise BundleError(f"{out}: cannot be written: {exc}") from exc
    return moved


def add_to_bundle(folder: Path, bank: Sequence[Path]) -> None:
    """Add embeddings to a bundle, if its graph gives none yet, and a bank of these recordings.

    Raises:
        BundleError: if its graph has no embedding that could be named.
        AudioError: if a folder for the bank has no recording that can be used.
    """
    tree: dict[str, Any] = json.loads((folder / "bundle.json").read_bytes())
    bundle = load_bundle(folder)
    if bundle.embedding is None:
        if len(bundle.members) > 1:
            raise BundleError(f"{bundle.name!r} is an ensemble, which has no one embedding")
        steps: dict[str, tuple[int, ...]] = {"clip": ()}
        if bundle.frame != "none":
            steps["frame"] = (bundle.members[0].steps,)
        width = add_embeddings(bundle.onnx, steps)
        sums = {name: file_sha256(folder / name) for name in tree["files"]}
        tree |= {"embedding": width, "files": sums}
        write_json(folder / "bundle.json", tree)
    if bank:
        made = make_bank(load_bundle(folder), bank)
        write_bank(folder / BANK_FILE, made)
        tree["files"] |= {BANK_FILE: file_sha256(folder / BANK_FILE)}
        tree["bank"] = {"windows": len(made.clip), "of": [path.name for path in bank]}
        write_json(folder / "bundle.json", tree)


def _difference(before: Bundle, after: Bundle) -> float:
    """Return the largest difference in probability on windows of noise."""
    member = before.members[0]
    shape = (WINDOWS, before.frames, before.fbank.mel_bins)
    noise = np.random.default_rng(0).normal(member.mean, 2 * member.std, shape)
    config = EngineConfig(name="onnxruntime")
    found = []
    for bundle in (before, after):
        with closing(open_engine(bundle, config)) as engine:
            scores = engine.run(noise.astype(np.float32))
        found.append(
            np.concatenate(
                [s.reshape(WINDOWS, -1) for s in (scores.clip, scores.frame) if s is not None],
                axis=1,
            )
        )
    return float(np.abs(found[0] - found[1]).max())
