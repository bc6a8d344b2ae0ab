import json

import numpy as np
import pytest
import torch
from rigs.training.clips import clip_recipe, tones
from rigs.training.torchrun import torchrun

from ast_training.base.processes import Processes, join_processes
from ast_training.data.clips import ClipSet
from ast_training.measure.evaluation import ClipEvaluation
from ast_training.model.network import AudioSpectrogramTransformer

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
import torch
from ast_training.data.clips import ClipSet
from ast_training.measure.evaluation import ClipEvaluation
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.base.processes import join_processes
from ast_training.recipe.recipe import Recipe

recipe = Recipe.model_validate_json(sys.argv[1])
clips = ClipSet.open(recipe.data.folder)
torch.manual_seed(0)
model = AudioSpectrogramTransformer(recipe.model_spec).eval()

def predict(indices, processes):
    return ClipEvaluation(clips, indices, recipe).predict(model, processes).logits

with join_processes() as processes:
    items = lambda count: list(range(count))[processes.rank :: processes.world]
    found = {
        "main": processes.main,
        "uneven": processes.gather(items(5)),
        "even": processes.gather(items(4)),
        "one": processes.gather(items(1)),
        "none": processes.gather([]),
        "sum": processes.sum(torch.tensor(processes.rank + 1.0)).item(),
        "logits": [predict(np.arange(count), processes).tolist() for count in (1, 5)],
    }
    with join_processes() as again:
        found["nested"] = again.gather([again.rank])
    processes.wait()
    Path(sys.argv[2], f"{processes.rank}.json").write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tones(tmp_path_factory.mktemp("processes"), train=5, held_out=0)
    return clip_recipe(folder, optimizer={"batch": 2})


@pytest.fixture(scope="module")
def found(recipe, tmp_path_factory):
    """What two real processes have found, by rank."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "script.py").write_text(SCRIPT)
    done = torchrun(str(folder / "script.py"), recipe.model_dump_json(), str(folder))
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize(("parts", "count"), [("uneven", 5), ("even", 4), ("one", 1), ("none", 0)])
def test_gathered_values_are_in_order_in_every_process(found, parts, count):
    assert [one[parts] for one in found] == [list(range(count))] * 2


@pytest.mark.slow
def test_sums_are_over_all_processes(found):
    assert [one["sum"] for one in found] == [3.0, 3.0]


@pytest.mark.slow
def test_processes_that_have_joined_may_join_again(found):
    assert [one["nested"] for one in found] == [[0, 1], [0, 1]]


@pytest.mark.slow
def test_one_process_is_the_main_one(found):
    assert [one["main"] for one in found] == [True, False]


@pytest.mark.slow
def test_many_processes_predict_what_one_does(found, recipe):
    clips = ClipSet.open(recipe.data.folder)
    torch.manual_seed(0)
    model = AudioSpectrogramTransformer(recipe.model_spec).eval()
    for number, count in enumerate((1, 5)):  # one clip leaves a process with none
        alone = ClipEvaluation(clips, np.arange(count), recipe)
        golden = alone.predict(model, Processes(torch.device("cpu"))).logits
        for one in found:
            np.testing.assert_allclose(one["logits"][number], golden, atol=1e-5)


def test_a_process_that_nobody_started_is_alone(monkeypatch):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with join_processes() as processes:
        assert (processes.rank, processes.world, processes.main) == (0, 1, True)
        assert processes.gather(iter([1, 2])) == [1, 2]
        assert processes.sum(torch.tensor(2.0)) == 2
        processes.wait()
