import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from rigs.training.teachers import MN04, SHARED, mobilenet_weights, save_mobilenet

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec
from ast_training.model.stem import EfficientAtStem
from ast_training.teacher.mel_image import MelImage
from ast_training.teacher.mobilenet import Mobilenet
from ast_training.weights.efficientat import (
    efficientat,
    efficientat_output,
    efficientat_stem,
)

CHANNELS = 96  # of the rig's network


def fbank(samples):
    return torchaudio.compliance.kaldi.fbank(
        samples, htk_compat=True, window_type="hanning", num_mel_bins=128
    )[None]


def stem_of(source, channels):
    spec = ModelSpec(1, 400, width=8, depth=1, heads=1, mean=0, std=0.5, stem=channels)
    stem = EfficientAtStem(spec)
    stem.load_state_dict(efficientat_stem(source, channels, FbankSpec()))
    return stem.eval()


def picture(stem, samples):
    """What a stem makes of a sound before its convolutions."""
    return stem.picture(fbank(samples)).transpose(1, 2).unsqueeze(1)


@pytest.mark.parametrize("level", [0.1, 0.003])
def test_bands_are_those_of_the_network_for_any_mixture_of_noise_and_tones(level, tmp_path):
    rng, moments = np.random.default_rng(1), np.arange(64240) / 16000
    sweep = np.sin(2 * np.pi * (50 + 900 * moments) * moments)
    samples = torch.tensor((sweep + rng.normal(size=64240) * 0.3) * level).float()[None]
    stem = stem_of(save_mobilenet(tmp_path / "mn.pt"), CHANNELS)
    with torch.inference_mode():
        found, wanted = picture(stem, samples)[0, 0], MelImage()(samples)[0, 0]
    # Their first frame's middle is the first sample, ours the middle of the first frame.
    difference = (found - wanted[:, 1 : found.shape[1] + 1]).abs()
    assert difference.mean() < 0.1  # of about 5 that a spectrogram spans
    assert difference.mean(1).max() < 0.4


@pytest.mark.skipif(not MN04.exists(), reason="mn04 is not at hand")
def test_mn04_sees_by_our_front_end_what_it_sees_by_its_own():
    stem, whole = stem_of(MN04, 384), Mobilenet(torch.load(MN04, weights_only=True))
    alike = []
    for clip in np.load(MN04.parent / "golden.npz")["clip"]:
        samples, _ = soundfile.read(SHARED / "data" / str(clip), dtype="float32", frames=64240)
        if len(samples) < 64240:
            continue
        sound = torch.from_numpy(samples)[None]
        with torch.inference_mode():
            found = stem.features(picture(stem, sound)).mean((2, 3))
            alike.append(torch.cosine_similarity(found, whole(sound).features).item())
    assert len(alike) > 10
    assert np.mean(alike) > 0.93


def test_what_it_tells_the_heads_is_what_the_published_output_layer_reads(tmp_path):
    path = save_mobilenet(tmp_path / "mn.pt", labels=7)
    stem, whole = stem_of(path, CHANNELS), efficientat(mobilenet_weights(labels=7)).eval()
    features, (weight, bias) = torch.randn(2, CHANNELS), efficientat_output(path)
    with torch.inference_mode():
        found = stem.tell(features) @ weight.T + bias
        torch.testing.assert_close(found, whole.classifier(features))


def test_the_width_is_read_from_the_weights():
    assert efficientat(mobilenet_weights(labels=7, width=0.1)).classifier[3].out_features == 7


def test_another_network_is_refused():
    with pytest.raises(BundleError, match=r"expected a MobileNet of EfficientAT with features\.16"):
        efficientat({"v.cls_token": torch.zeros(1)})


def test_a_stem_of_another_width_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"mn\.pt: expected a network of 384 channels, got 96"):
        efficientat_stem(save_mobilenet(tmp_path / "mn.pt"), 384, FbankSpec())


def test_a_file_that_is_none_is_named(tmp_path):
    (tmp_path / "mn.pt").write_bytes(b"PK nothing")
    with pytest.raises(BundleError, match=r"mn\.pt"):
        efficientat_stem(tmp_path / "mn.pt", 384, FbankSpec())
