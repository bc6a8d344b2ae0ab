"""Fixtures for tests of downloads."""

import pytest
from rigs.hub.server import REPOSITORY, Hub, model_files

from ast_edge.engines.config import EngineConfig
from ast_edge.hub.delivery import Wish, deliver
from ast_edge.hub.files import FolderFiles, RemoteFiles
from ast_edge.hub.origin import Origin, parse_origin
from ast_edge.hub.web import Web


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub():
    with Hub() as hub:
        yield hub


@pytest.fixture
def published(hub):
    """A hub that has a model."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs import exported

    hub.files.update(exported.files())
    return hub


@pytest.fixture
def files_of(hub, tmp_path):
    """Return a function that gives the files of the hub's repository, or of an address."""

    def files_of(origin=f"hf:{REPOSITORY}", offline=False, stall_timeout=10.0, progress=None):
        if not isinstance(origin, Origin):
            origin = parse_origin(origin, hub.url)
        if origin.kind == "folder":
            return FolderFiles(origin)
        return RemoteFiles(
            origin,
            Web(hub.url, stall_timeout),
            hub.url,
            tmp_path / "cache",
            progress or (lambda file, done, total: None),
            offline=offline,
            pause=lambda seconds: None,
        )

    return files_of


@pytest.fixture
def get(published, files_of):
    """Deliver what the hub has, after some changes."""

    def get(name="mine", precision="fp32", origin=f"hf:{REPOSITORY}", **changes):
        if changes:
            published.files.update(model_files(published.files, **changes))
        delivery = deliver(files_of(origin), Wish(name, precision), EngineConfig(name="openvino"))
        return delivery.bundle

    return get


@pytest.fixture
def change_graph(hub):
    """Change the graph that the hub has, by a function."""

    import onnx

    def change(edit):
        graph = onnx.load_from_string(hub.files["onnx/model.onnx"])
        graph = edit(graph) or graph
        hub.files["onnx/model.onnx"] = graph.SerializeToString()

    return change
