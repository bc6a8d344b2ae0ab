import numpy as np
import pytest
import soundfile
import torch
from rigs.training.teachers import SHARED, YAMNET

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.model.spec import ModelSpec
from ast_training.model.stem import YamnetStem
from ast_training.teacher.yamnet import LENGTH, YamnetTeacher
from ast_training.weights.yamnet import yamnet_labels, yamnet_stem, yamnet_weights

AT_HAND = pytest.mark.skipif(not YAMNET.exists(), reason="YAMNet is not at hand")
BARK = SHARED / "data/esc50/audio/1-100032-A-0.ogg"


def sound(samples):
    found, _ = soundfile.read(BARK, dtype="float32", start=32000 if samples < 48000 else 0)
    # As in any room: digital silence is a little less quiet by our front end.
    noise = np.random.default_rng(1).normal(scale=1e-3, size=samples)
    return (found[:samples] + noise).astype(np.float32)


def stem_of(frames):
    spec = ModelSpec(1, frames, width=8, depth=1, heads=1, mean=0, std=0.5, yamnet=True)
    stem = YamnetStem(spec)
    stem.load_state_dict(yamnet_stem(YAMNET, FbankSpec()))
    return stem.eval()


@AT_HAND
def test_by_its_own_picture_it_says_what_the_published_graph_says():
    teacher, stem = YamnetTeacher(YAMNET), stem_of(96)
    samples = sound(LENGTH)[None]
    weight, bias = yamnet_weights(YAMNET)[1]
    with torch.inference_mode():
        picture = teacher._log_mel(torch.from_numpy(samples))
        features = stem.features(picture[:, None]).mean((2, 3))
        found = (features @ weight.T + bias).sigmoid()[0].numpy()
    wanted = teacher.hear(samples).steps[0, 0]
    assert wanted[yamnet_labels(YAMNET).index("Dog")] > 0.5
    np.testing.assert_allclose(np.maximum(found, 1 / 512), wanted, atol=0.02)  # of bf16


@AT_HAND
def test_our_front_end_shows_it_the_same_picture():
    samples, stem = sound(64240), stem_of(400)
    with torch.inference_mode():
        found = stem.picture(torch.from_numpy(fbank(samples, FbankSpec()))[None])[0]
        wanted = YamnetTeacher(YAMNET)._log_mel(torch.from_numpy(samples)[None])[0]
    assert (found - wanted[: len(found)]).abs().mean() < 0.1  # of about 7 that it spans


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "broken.tflite").write_bytes(b"no model at all")
    with pytest.raises(BundleError, match=r"broken\.tflite: expected YAMNet as a TFLite model"):
        yamnet_weights(tmp_path / "broken.tflite")


def test_another_front_end_is_refused():
    with pytest.raises(BundleError, match="YAMNet hears 16000 Hz by FFTs of 512 points"):
        yamnet_stem(YAMNET, FbankSpec(sample_rate=32000))
