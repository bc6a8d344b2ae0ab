import numpy as np
import pytest
from rigs.training.teachers import SHARED, YAMNET

from ast_edge.base.errors import BundleError
from ast_training.data.decoding import AudioBytes, decode
from ast_training.data.labels import label_table
from ast_training.teacher.yamnet import PART, YamnetTeacher

AT_HAND = pytest.mark.skipif(not YAMNET.exists(), reason="YAMNet is not at hand")


@AT_HAND
def test_its_labels_are_audiosets_but_for_six():
    audioset = [label.name for label in label_table("audioset")]
    labels = YamnetTeacher(YAMNET).labels
    assert len(labels) == 521
    assert list(labels) == [name for name in audioset if name in labels]


@AT_HAND
def test_a_dog_is_heard_where_it_barks():
    recording = SHARED / "data/esc50/audio/1-100032-A-0.ogg"  # from 2.25 to 2.56 s
    samples = decode(AudioBytes(recording)).samples[None, :64000]
    teacher = YamnetTeacher(YAMNET)
    heard = teacher.hear(samples)
    dog = heard.steps[0, :, teacher.labels.index("Dog")]
    assert dog[4] > 0.5
    assert dog[[0, 1, 2, 3, 6, 7]].max() < 0.1
    assert heard.clip.shape == (1, 521)


@AT_HAND
def test_another_number_of_labels_than_outputs_is_refused():
    with pytest.raises(BundleError, match=r"2 outputs, one per label, got .* and \[\?,521\]"):
        YamnetTeacher(YAMNET, ("a", "b"))


@pytest.mark.parametrize("content", [b"", b"no model at all" * 100])
def test_what_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "broken.tflite").write_bytes(content)
    with pytest.raises(BundleError, match=r"broken\.tflite: expected YAMNet as a TFLite model"):
        YamnetTeacher(tmp_path / "broken.tflite", ("a", "b"))


def test_a_model_that_does_not_name_its_outputs_needs_labels(tmp_path):
    (tmp_path / "bare.tflite").write_bytes(b"no archive")
    with pytest.raises(BundleError, match=r"bare\.tflite: .* or give a list of labels"):
        YamnetTeacher(tmp_path / "bare.tflite")


@AT_HAND
def test_a_sound_gets_the_same_answer_in_any_batch():
    teacher = YamnetTeacher(YAMNET)
    noise = np.random.default_rng(1).normal(size=(PART + 1, 20000)).astype(np.float32) * 0.1
    together, alone = teacher.hear(noise), teacher.hear(noise[-1:])
    np.testing.assert_allclose(together.steps[-1:], alone.steps, atol=0.02)  # of bf16


@AT_HAND
def test_a_sound_shorter_than_a_window_is_heard():
    heard = YamnetTeacher(YAMNET).hear(np.zeros((2, 4000), np.float32))
    assert heard.steps.shape == (2, 1, 521)
    assert heard.clip[0].argmax() == 494  # silence
