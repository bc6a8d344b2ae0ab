from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rigs.training.clips import FRAMES, clip_recipe
from rigs.training.teachers import save_mobilenet

from ast_edge.base.errors import BundleError, ConfigError
from ast_training.base.processes import Processes
from ast_training.model.checkpoint import load_checkpoint
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.run.state import TrainingState, check_made_by, provenance

ALONE = Processes(torch.device("cpu"))


def recipe_of(**sections):
    return clip_recipe(Path("nowhere"), **sections)


def start(recipe, last=Path("none")):
    return TrainingState.start(recipe, 3, last, ALONE)


def step(state, decay=0.0):
    """Go one step in a direction that depends on nothing but the number of the step."""
    torch.manual_seed(state.step)
    for parameter in state.model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.randn_like(parameter)
    state.optimizer.step()
    state.advance(decay)


def step_with_hint(state):
    for parameter in state.hint.parameters():
        parameter.grad = torch.ones_like(parameter)
    step(state)


def trained(recipe, path, steps=3):
    state = start(recipe)
    for _ in range(steps):
        step(state, recipe.optimizer.ema)
    state.total.fill_(0.75)
    state.checkpoint(recipe).save(path)
    return state


def assert_same_weights(one, other):
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=0, atol=0)


# Start and resume


@pytest.fixture
def source(tmp_path):
    """Weights to start from."""
    path = tmp_path / "source.safetensors"
    trained(recipe_of(seed=5), path)
    return path


@pytest.mark.parametrize("learn", ["heads", "lora"])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_resumed_part_takes_the_steps_that_the_first_would_have(tmp_path, source, learn, ema):
    recipe = recipe_of(init={"source": str(source)}, adapt={"learn": learn}, optimizer={"ema": ema})
    golden = trained(recipe, tmp_path / "last.safetensors")
    source.unlink()  # resuming does not need it
    resumed = start(recipe, tmp_path / "last.safetensors")
    for state in (golden, resumed):
        for _ in range(2):
            step(state, ema)
    assert_same_weights(golden.weights(), resumed.weights())


def test_a_checkpoint_of_learnt_changes_is_one_of_a_plain_model(tmp_path, source):
    recipe = recipe_of(init={"source": str(source)}, adapt={"learn": "lora"})
    state = trained(recipe, tmp_path / "last.safetensors")
    plain = load_checkpoint(tmp_path / "last.safetensors").build()
    fbank = torch.linspace(-8, 2, FRAMES * 128).view(1, FRAMES, 128)
    torch.testing.assert_close(plain(fbank), state.model.eval()(fbank))


def test_what_stays_as_it_is_needs_the_input_that_it_was_trained_with(source):
    recipe = recipe_of(init={"source": str(source)}, adapt={"learn": "heads"}, model={"mean": -4.0})
    with pytest.raises(BundleError, match=r"mean -7 and std 5, .*set model\.mean"):
        start(recipe)


def test_the_same_seed_starts_from_the_same_weights():
    first, again, other = (start(recipe_of(seed=seed)).weights() for seed in (1, 1, 2))
    assert_same_weights(first, again)
    assert not torch.equal(first["v.pos_embed"], other["v.pos_embed"])


@pytest.mark.parametrize("kind", ["adam", "adamw"])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_resumed_state_takes_the_steps_that_the_first_would_have(tmp_path, kind, ema):
    recipe = recipe_of(optimizer={"kind": kind, "ema": ema, "layer_decay": 0.9})
    state = trained(recipe, tmp_path / "last.safetensors")
    resumed = start(recipe, tmp_path / "last.safetensors")
    assert (resumed.step, resumed.epoch, resumed.total.item()) == (3, 0, 0.75)
    for one in (state, resumed):
        step(one, ema)
    assert_same_weights(state.model.state_dict(), resumed.model.state_dict())
    assert_same_weights(state.weights(), resumed.weights())


@pytest.mark.parametrize(("share", "learnt"), [(0.25, True), (0.0, False)])
def test_a_stem_learns_if_it_has_a_share_of_the_rate(tmp_path, share, learnt):
    weights = save_mobilenet(tmp_path / "mn.pt", labels=527)
    recipe = recipe_of(
        model={"stem": 96}, init={"stem": str(weights)}, optimizer={"stem": share, "ema": 0.0}
    )
    state = start(recipe)
    features = state.model.v.stem.networks["efficientat"].features
    before = {name: value.clone() for name, value in features.named_parameters()}
    step(state)
    assert before
    for name, value in features.named_parameters():
        assert torch.equal(value, before[name]) is not learnt


def test_what_guesses_the_teachers_features_is_kept_for_a_resume(tmp_path):
    weights = save_mobilenet(tmp_path / "teacher.pt", labels=5)
    names = tmp_path / "labels.txt"
    names.write_text("\n".join(f"Sound {n}" for n in range(5)))
    teacher = {"kind": "mobilenet", "weights": str(weights), "labels": str(names)}
    (tmp_path / "none.tflite").touch()  # would be refused if it were opened here
    other = {"kind": "yamnet", "weights": str(tmp_path / "none.tflite")}
    recipe = recipe_of(teachers=[other, teacher], hint=0.5)
    before = start(recipe)
    before.hint.scale.running_mean.fill_(3)
    step_with_hint(before)
    before.checkpoint(recipe).save(tmp_path / "last.safetensors")
    after = start(recipe, tmp_path / "last.safetensors")
    assert_same_weights(before.hint.state_dict(), after.hint.state_dict())
    for state in (before, after):
        step_with_hint(state)
    assert_same_weights(before.hint.state_dict(), after.hint.state_dict())
    handed_on = load_checkpoint(tmp_path / "last.safetensors").weights
    assert not [name for name in handed_on if "hint" in name]


@pytest.mark.parametrize("change", [{"weight_decay": 0.0}, {"layer_decay": 0.75}])
def test_moments_stay_with_their_parameters_when_the_groups_change(tmp_path, change):
    state = trained(recipe_of(optimizer={"weight_decay": 0.1}), tmp_path / "last.safetensors")
    resumed = start(recipe_of(optimizer=change), tmp_path / "last.safetensors")
    names = dict(resumed.model.named_parameters())
    for name, parameter in state.model.named_parameters():
        found = resumed.optimizer.state[names[name]]["exp_avg"]
        torch.testing.assert_close(found, state.optimizer.state[parameter]["exp_avg"])


def test_an_average_may_begin_and_end_with_a_resume(tmp_path):
    plain, averaged = recipe_of(), recipe_of(optimizer={"ema": 0.5})
    state = trained(plain, tmp_path / "plain.safetensors")
    begun = start(averaged, tmp_path / "plain.safetensors")
    assert_same_weights(begun.average, state.model.state_dict())
    state = trained(averaged, tmp_path / "averaged.safetensors")
    ended = start(plain, tmp_path / "averaged.safetensors")
    assert_same_weights(ended.weights(), state.model.state_dict())


def test_the_scale_of_the_loss_survives_a_resume(tmp_path):
    recipe = recipe_of(loop={"precision": "fp16"})
    state = start(recipe)
    state.scaler.load_state_dict(state.scaler.state_dict() | {"scale": 128.0})
    state.checkpoint(recipe).save(tmp_path / "last.safetensors")
    assert start(recipe, tmp_path / "last.safetensors").scaler.get_scale() == 128.0


# Weights to start from


def test_a_run_may_start_from_the_weights_of_another(tmp_path):
    source = trained(recipe_of(seed=5), tmp_path / "other.safetensors")
    recipe = recipe_of(init={"source": str(tmp_path / "other.safetensors")})
    assert_same_weights(start(recipe).weights(), source.weights())


def test_of_a_run_with_other_labels_the_head_is_not_taken(tmp_path):
    source = trained(recipe_of(labels={"A": "", "B": ""}), tmp_path / "other.safetensors").weights()
    recipe = recipe_of(init={"source": str(tmp_path / "other.safetensors")}, seed=3)
    found = start(recipe).weights()
    assert torch.equal(found["v.norm.weight"], source["v.norm.weight"])
    assert not torch.equal(found["mlp_head.1.weight"], source["mlp_head.1.weight"])


def test_a_resume_does_not_need_the_weights_it_began_with(tmp_path):
    trained(recipe_of(), tmp_path / "last.safetensors")
    recipe = recipe_of(init={"source": str(tmp_path / "gone.safetensors")})
    assert start(recipe, tmp_path / "last.safetensors").step == 3
    with pytest.raises(BundleError, match="gone"):
        start(recipe)


# Averages


def test_the_average_follows_quickly_at_first_and_by_its_decay_later():
    state = start(recipe_of(optimizer={"ema": 0.9}))
    state.average = {"v.norm.bias": torch.zeros(192)}
    state.model.v.norm.bias.data.fill_(1.0)
    state.advance(0.9)
    assert state.average["v.norm.bias"][0] == pytest.approx(1 - 1 / 11)
    state.step, state.average = 1000, {"v.norm.bias": torch.zeros(192)}
    state.advance(0.9)
    assert state.average["v.norm.bias"][0] == pytest.approx(0.1)


def test_without_an_average_the_weights_themselves_are_kept(tmp_path):
    state = trained(recipe_of(), tmp_path / "last.safetensors")
    assert not state.average
    assert_same_weights(state.weights(), state.model.state_dict())


def test_with_an_average_it_is_what_is_evaluated_and_kept(tmp_path):
    state = trained(recipe_of(optimizer={"ema": 0.5}), tmp_path / "last.safetensors")
    assert not torch.equal(state.average["v.pos_embed"], state.model.v.pos_embed)
    assert_same_weights(state.average, state.evaluated().state_dict())
    assert_same_weights(state.average, load_checkpoint(tmp_path / "last.safetensors").weights)


def test_the_evaluated_model_does_not_move_with_training():
    state = start(recipe_of())
    before = {k: v.clone() for k, v in state.evaluated().state_dict().items()}
    evaluated = state.evaluated()
    step(state)
    assert not evaluated.training
    assert_same_weights(before, evaluated.state_dict())


# What a checkpoint says


def test_a_checkpoint_says_what_it_is(tmp_path):
    recipe = recipe_of()
    trained(recipe, tmp_path / "last.safetensors")
    found = load_checkpoint(tmp_path / "last.safetensors")
    assert (found.model, found.fbank) == (recipe.model_spec, recipe.fbank_spec)
    assert found.labels == recipe.label_set
    assert found.recipe["name"] == "small"
    assert found.provenance["torch"] == str(torch.__version__)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"model": {"frames": FRAMES + 16}}, "does not have the model of the recipe 'small'"),
        ({"model": {"depth": 1}}, "does not have the model"),
        ({"frontend": {"window": "hamming"}}, "does not have the front end"),
        ({"labels": {"A": "", "B": ""}}, "does not have the labels"),
        ({"loss": "ce", "labels": {"A": ""}}, "does not have the model and labels"),
    ],
)
def test_a_checkpoint_of_another_recipe_is_refused(tmp_path, sections, words):
    trained(recipe_of(), tmp_path / "last.safetensors", steps=1)
    with pytest.raises(ConfigError, match=words):
        start(recipe_of(**sections), tmp_path / "last.safetensors")


def test_a_checkpoint_with_epochs_of_another_length_is_refused(tmp_path):
    trained(recipe_of(), tmp_path / "last.safetensors")
    with pytest.raises(ConfigError, match="expected 4 steps in an epoch, got 3"):
        TrainingState.start(recipe_of(), 4, tmp_path / "last.safetensors", ALONE)


def test_a_checkpoint_to_hand_on_is_not_gone_on_with(tmp_path):
    trained(recipe_of(), tmp_path / "last.safetensors")
    checkpoint = load_checkpoint(tmp_path / "last.safetensors")
    replace(checkpoint, state={}).save(tmp_path / "last.safetensors")
    with pytest.raises(ConfigError, match="holds no state to go on from"):
        start(recipe_of(), tmp_path / "last.safetensors")


def test_a_recipe_may_change_how_it_trains(tmp_path):
    recipe = recipe_of()
    trained(recipe, tmp_path / "last.safetensors", steps=1)
    other = recipe_of(optimizer={"lr": 1e-5, "epochs": 9}, augment={"mixup": 0.5})
    check_made_by(other, load_checkpoint(tmp_path / "last.safetensors"), tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / "last.safetensors").write_bytes(b"bad")
    with pytest.raises(BundleError, match="not a readable checkpoint"):
        start(recipe_of(), tmp_path / "last.safetensors")


def test_a_machine_without_git_can_train(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set(provenance()) == {"ast_edge", "torch"}


# Precision


@pytest.mark.parametrize(
    ("precision", "dtype", "scales"),
    [
        ("fp32", torch.float32, False),
        ("bf16", torch.bfloat16, False),
        ("fp16", torch.float16, True),
    ],
)
def test_only_f16_scales_the_loss(precision, dtype, scales):
    state = start(recipe_of(loop={"precision": precision}))
    assert (state.dtype, state.scaler.is_enabled()) == (dtype, scales)


def test_activation_checkpointing_and_patchout_are_for_training_alone():
    state = start(recipe_of(loop={"activation_checkpointing": True}, model={"drop_path": 0.5}))
    assert state.model.v.options.activation_checkpointing
    assert isinstance(state.evaluated(), AudioSpectrogramTransformer)
    assert not state.evaluated().v.options.activation_checkpointing


def test_every_seed_and_step_draws_its_own_numbers():
    state, drawn = start(recipe_of()), []
    for state.step in (0, 1):
        for state.seed in (1, 2, 2):
            state.seed_step()
            drawn.append(tuple(torch.rand(2).tolist()))
    assert len(set(drawn)) == 4
    assert (drawn[1], drawn[4]) == (drawn[2], drawn[5])
