import pytest
import torch
from rigs.training.checkpoints import random_checkpoint

from ast_edge.base.errors import ConfigError
from ast_export.label_selection import leave_out, wanted_alone


def scores(checkpoint):
    model = checkpoint.build()
    torch.manual_seed(1)
    with torch.inference_mode():
        return model.forward_both(torch.randn(2, 64, 128))


def test_the_other_labels_keep_their_scores_of_windows_and_steps():
    checkpoint = random_checkpoint(frame_head=True)
    clip, frame = scores(checkpoint)
    less = leave_out(checkpoint, ["Hum"])
    assert [(label.index, label.name) for label in less.labels] == [(0, "Whistle"), (1, "Hiss")]
    torch.testing.assert_close(scores(less)[0], clip[:, [0, 2]])
    torch.testing.assert_close(scores(less)[1], frame[:, :, [0, 2]])


def test_a_label_may_be_given_by_its_machine_id():
    assert len(leave_out(random_checkpoint(), ["/m/0k5j"]).labels) == 2


def test_the_average_precision_is_that_of_the_labels_that_remain():
    precisions = {"Whistle": 0.1, "Hum": 0.5, "Hiss": 0.9}
    names = {name: {"ap": ap, "positives": 9} for name, ap in precisions.items()}
    checkpoint = random_checkpoint(metrics={"macro_ap": 0.5, "labels": names})
    metrics = leave_out(checkpoint, ["Whistle"]).metrics
    assert metrics["macro_ap"] == pytest.approx(0.7)
    assert list(metrics["labels"]) == ["Hum", "Hiss"]


def test_the_interval_of_the_mean_is_that_of_the_labels_that_remain():
    resampled = {"Whistle": [0.1, 0.3], "Hum": [0.5, 0.7], "Hiss": [0.9, None]}
    names = {name: {"ap": 0.5, "positives": 9} for name in resampled}
    metrics = {"macro_ap": 0.5, "labels": names, "resampled_aps": resampled}
    less = leave_out(random_checkpoint(metrics=metrics), ["Whistle"])
    assert less.metrics["macro_ap_interval"] == pytest.approx([0.7, 0.7])


def test_an_unknown_label_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'Whistel'.*Whistle"):
        leave_out(random_checkpoint(), ["Whistel"])


def test_a_model_without_labels_is_refused():
    with pytest.raises(ConfigError, match="at least one"):
        leave_out(random_checkpoint(), ["Whistle", "Hum", "Hiss"])


def test_what_was_learnt_only_beside_the_wanted_labels_is_left_out():
    checkpoint = random_checkpoint(recipe={"wanted": ["Hiss"]})
    assert [label.name for label in wanted_alone(checkpoint).labels] == ["Hiss"]


def test_a_recipe_that_wants_all_keeps_all():
    checkpoint = random_checkpoint()
    assert wanted_alone(checkpoint) is checkpoint
