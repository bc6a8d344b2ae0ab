"""A little of what `python tests/fuzz.py` does at length."""

import random
from pathlib import Path

import pytest
from rigs.training.mutation import altered, damaged, misspelt

pytest.importorskip("onnx", reason="onnx is not installed")
import fuzz


@pytest.mark.parametrize(
    "target", ["configuration", "recording", "published", "bundle.json", "model.onnx"]
)
def test_damaged_files_are_read_or_refused_in_one_line(target):
    tally = fuzz.run(target, 100, seed=7, keep=None)
    assert tally.findings == []
    assert tally.outcomes["worked"] + tally.outcomes["refused"] == 100
    assert min(tally.outcomes["worked"], tally.outcomes["refused"]) > 0


@pytest.mark.slow
def test_damaged_checkpoints_are_read_or_refused_in_one_line():
    pytest.importorskip("torch")
    tally = fuzz.run("checkpoint", 100, seed=7, keep=None)
    assert tally.findings == []
    assert min(tally.outcomes["worked"], tally.outcomes["refused"]) > 0


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        ("os.abort()", "ends the process (-6)"),
        ("raise KeyError('x')", "KeyError"),
        ("raise AstError('a' * 100)", None),
    ],
)
def test_a_reader_that_misbehaves_is_found(tmp_path, monkeypatch, code, finding):
    rig = tmp_path / "rigs"
    rig.mkdir()
    (rig / "fuzz_targets.py").write_text(
        "import os\nfrom dataclasses import dataclass\nfrom ast_edge.base.errors import AstError\n"
        "@dataclass\nclass Target:\n    share: float\n    run: object\n"
        f"def read(rng, place):\n    {code}\n"
        "def targets(folder):\n    return {'x': Target(1.0, read)}\n"
    )
    (tmp_path / "fuzz.py").write_text(Path(fuzz.__file__).read_text())
    monkeypatch.setattr(fuzz, "__file__", str(tmp_path / "fuzz.py"))
    tally = fuzz.run("x", 3, seed=1, keep=None)
    assert len(tally.findings) == (3 if finding else 0)
    assert all(finding in found for found in tally.findings)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_seed_makes_the_same_damage_and_another_seed_another(seed):
    data, text = bytes(range(256)) * 4, "a: 1\nb: [2, 3]\n" * 9
    tree = {"a": 1, "b": [2, {"c": 3}], "d": {"e": 4, "f": 5}}

    def damage(seed):
        rng = random.Random(seed)
        copy = {**tree, "b": [2, {"c": 3}], "d": dict(tree["d"])}
        return damaged(rng, data), misspelt(rng, text), repr(altered(rng, copy))

    assert damage(seed) == damage(seed)
    assert damage(seed) != damage(seed + 1000)
