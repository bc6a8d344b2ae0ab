import numpy as np
import pytest
import torch
from rigs.training.packs import make_recipe, two_sounds
from rigs.training.teachers import save_mobilenet
from scipy.optimize import minimize

from ast_edge.frontend.fbank import fbank
from ast_training.data.audio_cache import AudioCache
from ast_training.data.labels import label_table
from ast_training.data.recordings import Recording, read_recordings
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.recipe.recipe import InitConfig
from ast_training.run.first_heads import ALIKE, _few_alike, _windows, fit_heads, fit_towards
from ast_training.run.training_data import open_composer
from ast_training.soundscapes.examples import SoundscapeExamples
from ast_training.weights.efficientat import efficientat_output
from ast_training.weights.initialisation import initialise_stem


@pytest.fixture
def examples():
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(60, 4, generator=rng)
    targets = (x[:, :2] + 0.5 * torch.randn(60, 2, generator=rng) > 0.7).float()
    return x, targets, torch.rand(60, 2, generator=rng), torch.randn(2, 4, generator=rng)


def test_it_finds_the_least_of_its_loss(examples):
    x, targets, weights, start = (one.double().numpy() for one in examples)

    def loss(found, label):
        score, y, w = x @ found[:4] + found[4], targets[:, label], weights[:, label]
        each = w * np.logaddexp(0, np.where(y > 0, -score, score))
        evened = each[y > 0].sum() / w[y > 0].sum() + each[y == 0].sum() / w[y == 0].sum()
        return evened / 2 + 0.1 * ((found[:4] - start[label]) ** 2).sum()

    weight, bias = fit_towards(*examples, pull=0.1)
    for label in range(2):
        best = minimize(loss, np.zeros(5), args=(label,), tol=1e-10).x
        y, w = targets[:, label], weights[:, label]
        odds = w[y > 0].sum() / w[y == 0].sum()
        np.testing.assert_allclose(weight[label], best[:4], atol=1e-3)
        assert bias[label].item() == pytest.approx(best[4] + np.log(odds), abs=1e-3)


def test_held_hard_it_stays_where_it_began(examples):
    weight, _ = fit_towards(*examples, pull=1e6)
    torch.testing.assert_close(weight, examples[-1], atol=1e-3, rtol=0)


def test_what_is_not_known_says_nothing(examples):
    x, targets, weights, start = examples
    unknown = torch.cat([weights, torch.zeros(5, 2)])
    more = torch.cat([x, torch.full((5, 4), 9.0)]), torch.cat([targets, torch.ones(5, 2)])
    for one, other in zip(
        fit_towards(*more, unknown, start, pull=0.1), fit_towards(*examples, pull=0.1), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("length", "count"), [(3, 1), (10, 1), (14, 1), (16, 2), (99, 3)])
def test_a_recording_is_read_from_its_beginning_in_whole_windows(length, count):
    sound = np.arange(length * 2, dtype=np.float32).reshape(length, 2)
    windows = _windows(sound, 10)
    assert windows.shape == (count, 10, 2)
    seen = windows.reshape(-1, 2)[:length]
    np.testing.assert_array_equal(seen, sound[: len(seen)])


def test_of_thousands_alike_some_are_read(tmp_path):
    def row(number, pack, targets):
        return Recording(tmp_path / f"{number}.wav", pack, targets, "g", "train", "events", 0.0)

    many = [row(n, "commands", (1,)) for n in range(ALIKE + 50)]
    kept = _few_alike([*many, row(1, "commands", (2,)), row(2, "other", (1,))], 1)
    assert len(kept) == ALIKE + 2


@pytest.fixture
def recipe(tmp_path):
    weights = save_mobilenet(tmp_path / "mn.pt", labels=527)
    return make_recipe(
        two_sounds(tmp_path),
        model={"frames": 100, "mean": -5.0, "std": 4.0, "depth": 1, "frame_head": True, "stem": 96},
        init={"stem": str(weights), "heads": {"pull": 0.001, "examples": 40}},
    )


def fitted(recipe):
    torch.manual_seed(1)
    model = AudioSpectrogramTransformer(recipe.model_spec)
    initialise_stem(model, recipe.fbank_spec, recipe.init.stem, None)
    fit_heads(model, recipe, recipe.init)
    return model.eval()


def test_a_model_tells_its_recordings_apart_before_it_is_trained(recipe):
    model = fitted(recipe)
    rows = [r for r in read_recordings(recipe.pack_set) if r.split == "train" and r.targets]
    cache = AudioCache(rows, 16000)
    sounds = (fbank(cache.samples(number), recipe.fbank_spec) for number in range(len(rows)))
    windows = [_windows(sound, 100)[:1] for sound in sounds]
    with torch.inference_mode():
        scores = model(torch.from_numpy(np.concatenate(windows)))
    assert [int(row.argmax()) for row in scores] == [row.targets[0] for row in rows]


def test_its_steps_tell_where_a_sound_is_in_soundscapes_it_has_not_heard(recipe):
    model = fitted(recipe)
    composer = open_composer(recipe, "validation")
    examples = SoundscapeExamples(composer, model.spec, recipe.fbank_spec, 99).batch(0, range(20))
    with torch.inference_mode():
        _, steps = model.forward_both(torch.from_numpy(np.stack([e.features for e in examples])))
    truth = np.stack([e.frame for e in examples])
    for label in range(2):
        known = np.isfinite(truth[..., label])
        score, target = steps[..., label].numpy()[known], truth[..., label][known] > 0.5
        assert score[target].mean() > score[~target].mean() + 1


def test_a_label_that_is_not_wanted_keeps_what_the_network_calls_it(recipe):
    alone = recipe.model_copy(update={"wanted": [next(iter(recipe.labels))]})
    model = fitted(alone)
    weight, bias = efficientat_output(recipe.init.stem)
    row = [one.name for one in label_table("audioset")].index(list(recipe.labels)[1])
    told = torch.randn(3, weight.shape[1])
    for head in (model.mlp_head, model.frame_head):
        found = head(torch.cat([torch.randn(3, model.spec.width), told], dim=1))[:, 1]
        torch.testing.assert_close(found, told @ weight[row] + bias[row], atol=1e-3, rtol=1e-3)


def test_without_soundscapes_both_heads_are_fitted_to_recordings(recipe):
    alone = InitConfig(stem=recipe.init.stem, heads={"examples": 0})
    model = AudioSpectrogramTransformer(recipe.model_spec)
    fit_heads(model, recipe, alone)
    for name, value in model.mlp_head.state_dict().items():
        assert torch.equal(model.frame_head.state_dict()[name], value)
