import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from rigs.training.checkpoints import random_checkpoint
from rigs.training.packs import hiss, tone

from ast_export.graph import export_graph
from ast_export.merged import MergedModel
from ast_export.writer import ExportOptions, write_bundle
from ast_training.model.network import AudioSpectrogramTransformer

# The models of these tests are so small that sharing the work between threads costs more.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def audio(tmp_path_factory):
    """A folder of recordings to compare on, in three formats and at two depths."""
    folder = tmp_path_factory.mktemp("audio")
    (folder / "deeper").mkdir()
    soundfile.write(folder / "hiss.wav", hiss(1, 2.0), 16000)
    soundfile.write(folder / "tone.flac", tone(3000, 1.0), 16000)
    soundfile.write(folder / "deeper" / "QUIET.WAV", np.zeros(8000), 16000)
    (folder / "notes.txt").write_text("no sound")
    return folder


@pytest.fixture(scope="session")
def checkpoint():
    return random_checkpoint()


@pytest.fixture(scope="session")
def graph(checkpoint, tmp_path_factory):
    """The exported graph."""
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    export_graph(MergedModel([checkpoint.build()]), path)
    return path


@pytest.fixture(scope="session")
def framed_checkpoint():
    return random_checkpoint(frame_head=True)


@pytest.fixture(scope="session")
def framed_graph(framed_checkpoint, tmp_path_factory):
    """The exported graph of a model with frame scores."""
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    export_graph(MergedModel([framed_checkpoint.build()]), path)
    return path


@pytest.fixture(scope="session")
def framed(framed_checkpoint, audio, tmp_path_factory):
    """A bundle with frame scores and the reports of its export."""
    folder = tmp_path_factory.mktemp("bundles") / "steps"
    return folder, write_bundle([framed_checkpoint], folder, ExportOptions("steps", audio=audio))


MERGED = 8
"""Tokens that each block but the last merges, of 60 patches."""


@pytest.fixture(scope="session")
def square_checkpoint():
    """Four blocks of overlapping square patches."""
    spec = replace(random_checkpoint().model, depth=4, stride=(10, 10))
    torch.manual_seed(0)
    model = AudioSpectrogramTransformer(spec)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    return random_checkpoint(model=spec, weights=dict(model.state_dict()))


@pytest.fixture(scope="session")
def merging(square_checkpoint, audio, tmp_path_factory):
    """A bundle whose graph merges tokens, and the reports of its export."""
    folder = tmp_path_factory.mktemp("bundles") / "merging"
    options = ExportOptions("merging", audio=audio, merge_tokens=MERGED)
    return folder, write_bundle([square_checkpoint], folder, options)


@pytest.fixture(scope="session")
def written(checkpoint, audio, tmp_path_factory):
    """A bundle and the reports of its export."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    return folder, write_bundle([checkpoint], folder, ExportOptions("small", audio=audio))


@pytest.fixture
def bundle(written, tmp_path):
    """A copy of the bundle for a test to change."""
    return shutil.copytree(written[0], tmp_path / "bundles" / "small")
