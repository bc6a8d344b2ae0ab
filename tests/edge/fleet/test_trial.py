import os
import signal
import subprocess

import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.hub.updates import make_bundle

from ast_edge.base.errors import BundleError, EngineError
from ast_edge.engines.config import EngineConfig
from ast_edge.fleet.trial import try_bundle

ENGINE = EngineConfig(name="openvino")


def children():
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=,args="], capture_output=True, text=True
    )
    return [
        int(line.split()[0])
        for line in listed.stdout.splitlines()
        if "ast_edge.fleet.trial" in line
    ]


def test_a_bundle_that_scores_silence_is_fine(tiny_model):
    try_bundle(tiny_model, ENGINE)


def test_scores_that_are_no_probabilities_are_refused(tmp_path):
    bundle = make_bundle(tmp_path / "odd", "odd", squash="Identity")
    with pytest.raises(EngineError, match="expected probabilities"):
        try_bundle(bundle, ENGINE)


def test_a_graph_that_is_not_what_the_bundle_says_is_refused(tmp_path):
    bundle = make_bundle(tmp_path / "odd", "odd", mel_bins=64)
    with pytest.raises(EngineError):
        try_bundle(bundle, ENGINE)


def test_a_damaged_bundle_is_said_as_that(model_folder):
    (model_folder / "model.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match="is damaged"):
        try_bundle(model_folder, ENGINE)


def test_a_bundle_that_ends_the_process_is_refused(tiny_model):
    def end_it():
        for pid in children():
            os.kill(pid, signal.SIGSEGV)

    with pytest.raises(EngineError, match="signal 11"):
        try_bundle(tiny_model, ENGINE, end_it)


def test_a_trial_that_takes_for_ever_is_ended(tiny_model):
    with pytest.raises(EngineError, match="not loaded within 0 s"):
        try_bundle(tiny_model, ENGINE, longest=0)
    assert not children()


def test_a_trial_that_is_given_up_leaves_no_process(tiny_model):
    def give_up():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_bundle(tiny_model, ENGINE, give_up)
    assert not children()
