"""A cluster gives what one run does. Needs `pip install 'ast-edge[ray]'`."""

from contextlib import contextmanager

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytest.importorskip("ray", reason="ray is not installed")
import ray
from ray.cluster_utils import Cluster
from rigs.archive import bulk, tables
from rigs.model import RATE, silence, tone

from ast_edge.archive import bulk as module
from ast_edge.archive.errors import ArchiveError
from ast_edge.archive.ray_crew import RayCrew, Share
from ast_edge.archive.watch import Watch

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore"),  # of Ray's own files and sockets
    pytest.mark.slow,
]


@contextmanager
def nodes(**second):
    """Two nodes on this machine with one CPU each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_raylet_start_wait_time_s", "120")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        cluster.add_node(num_cpus=1, **second)
        try:
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture(scope="module")
def cluster():
    with nodes() as cluster:
        yield cluster


@pytest.fixture
def folder(recordings, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        sound = np.concatenate([silence(1 + number), tone("Hum", 20), silence(12)])
        soundfile.write(folder / f"{number}.wav", sound, RATE)
    return folder


def on(cluster, size=8, cpus=1.0, gpus=0.0):
    return lambda job: RayCrew(job, size, cluster.address, Share(cpus, gpus))


def test_two_nodes_give_what_one_run_does(job, recordings, whole, cluster, tmp_path):
    bulk(job, recordings, tmp_path / "out", hire=on(cluster))
    assert tables(tmp_path / "out") == tables(whole)


def test_a_node_that_is_killed_loses_nothing_and_doubles_nothing(
    job, folder, cluster, tmp_path, monkeypatch
):
    node = cluster.add_node(num_cpus=1)

    class Killing(Watch):
        stretches = 0

        def heard(self, number, seconds):
            super().heard(number, seconds)
            Killing.stretches += 1
            if Killing.stretches == 6:
                cluster.remove_node(node, allow_graceful=False)

    bulk(job, folder, tmp_path / "whole")
    monkeypatch.setattr(module, "Watch", Killing)
    outcome = bulk(job, folder, tmp_path / "out", hire=on(cluster))
    assert (outcome.recordings, outcome.failed) == (12, 0)
    assert tables(tmp_path / "out") == tables(tmp_path / "whole")


def test_more_workers_than_there_is_room_for_do_not_hang(job, folder, whole, cluster, tmp_path):
    outcome = bulk(job, folder, tmp_path / "out", hire=on(cluster, size=50, cpus=0.8))
    assert outcome.recordings == 12


def test_no_more_workers_than_have_their_part_of_a_gpu(
    job, recordings, whole, tmp_path, monkeypatch
):
    """Ray takes a node's word for its GPUs; the engine is the one that the job asks for."""
    free = []

    class Looking(Watch):
        def heard(self, number, seconds):
            super().heard(number, seconds)
            free.append(ray.available_resources())

    monkeypatch.setattr(module, "Watch", Looking)
    with nodes(num_gpus=1) as cluster:
        bulk(job, recordings, tmp_path / "out", hire=on(cluster, cpus=0.25, gpus=0.5))
    assert tables(tmp_path / "out") == tables(whole)
    assert min(one.get("GPU", 0) for one in free) == 0
    assert min(one["CPU"] for one in free) == 1.5  # of two: others would find room, without a GPU


def test_nodes_fetch_recordings_of_a_bucket(job, recordings, buckets, tmp_path):
    buckets.put_folder("archive/in", recordings)
    bulk(job, "s3://archive/in", tmp_path / "here")
    with nodes() as cluster:
        bulk(job, "s3://archive/in", tmp_path / "out", hire=on(cluster))
    assert tables(tmp_path / "out") == tables(tmp_path / "here")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:ray"])
def test_a_cluster_that_is_not_there_is_said(job, address):
    with pytest.raises(ArchiveError, match="no cluster can be reached"):
        RayCrew(job, 1, address, Share())
