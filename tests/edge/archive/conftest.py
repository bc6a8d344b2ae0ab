"""Recordings of tones, and the tiny model that knows them."""

import numpy as np
import pytest
import soundfile

from ast_edge.model.bundle import load_bundle


@pytest.fixture(scope="session")
def job(framed_model):
    """A job for a model with frame scores, which cuts every 20 s."""
    from rigs.archive import job_of

    return job_of(load_bundle(framed_model), stretch_seconds=20)


@pytest.fixture(scope="session")
def tag_job(framed_model):
    """The same as a whole, with the scores of every window."""
    from rigs.archive import job_of

    bundle = load_bundle(framed_model)
    return job_of(bundle, events=False, scores=True, stretch_seconds=20)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """A folder with a short, a long and a resampled recording; do not change it."""
    from rigs.model import RATE, silence, tone

    folder = tmp_path_factory.mktemp("recordings")
    (folder / "deeper").mkdir()
    parts = [silence(1), tone("Hum", 2), silence(3), tone("Hiss", 1), silence(1)]
    soundfile.write(folder / "short.wav", np.concatenate(parts), RATE)
    # A hum that begins in one stretch and ends two further on.
    parts = [silence(13), tone("Hum", 30), silence(5.5), tone("Hiss", 0.4), silence(21)]
    soundfile.write(folder / "deeper" / "20240601_053000.flac", np.concatenate(parts), RATE)
    soundfile.write(folder / "long.ogg", np.concatenate(parts), RATE)
    rate = 44_100
    parts = [silence(2, rate), tone("Hiss", 25, rate), silence(3, rate)]
    soundfile.write(folder / "cd.wav", np.concatenate(parts), rate)
    return folder


@pytest.fixture(scope="session")
def whole(job, recordings, tmp_path_factory):
    """The results of one run over all recordings; do not change them."""
    from rigs.archive import bulk

    out = tmp_path_factory.mktemp("whole") / "out"
    bulk(job, recordings, out, jobs=2)
    return out


@pytest.fixture(scope="session")
def parts(job, recordings, tmp_path_factory):
    """The results of the same in two parts; do not change them."""
    from rigs.archive import bulk

    out = tmp_path_factory.mktemp("parts") / "out"
    for shard in ("2/2", "1/2"):
        bulk(job, recordings, out, shard)
    return out


@pytest.fixture
def buckets(monkeypatch):
    """A server of buckets, which is where S3 is; nothing else of this machine is looked at."""
    from rigs.buckets import Buckets

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "somebody")
    with Buckets() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server
