"""What was fetched once is not fetched again, and is there without a network."""

import pytest
from rigs.hub.server import COMMIT, REPOSITORY, cut_after, status

from ast_edge.base.errors import BundleError
from ast_edge.hub.errors import HubError, MissingError

PINNED = f"hf:{REPOSITORY}@{COMMIT}"
SIZE = 1 << 20


@pytest.fixture(autouse=True)
def content(hub):
    hub.files.update({"config.json": b"{}", "onnx/model.onnx": b"graph" * 100})


def test_a_commit_is_asked_for_once(files_of, hub):
    first = files_of(PINNED).fetch("onnx/model.onnx", SIZE)
    second = files_of(PINNED).fetch("onnx/model.onnx", SIZE)
    assert second.path.read_bytes() == hub.files["onnx/model.onnx"]
    assert (first.checked, second.checked) == ("hub", "cache")
    assert len(hub.asked) == 1


def test_a_branch_is_resolved_to_its_commit_and_kept_to(files_of, hub):
    files = files_of()
    files.fetch("config.json", SIZE)
    assert files.origin.revision == COMMIT
    files.fetch("onnx/model.onnx", SIZE)
    assert "/main/" in hub.asked[0].path
    assert f"/{COMMIT}/" in hub.asked[1].path


@pytest.mark.parametrize("origin", [PINNED, f"hf:{REPOSITORY}"])
def test_without_a_network_the_cache_is_enough(files_of, hub, origin):
    files_of(origin).fetch("config.json", SIZE)
    asked = len(hub.asked)
    offline = files_of(origin, offline=True)
    assert offline.fetch("config.json", SIZE).path.read_bytes() == b"{}"
    assert offline.origin.revision == COMMIT
    assert len(hub.asked) == asked


def test_a_branch_that_cannot_be_asked_is_taken_as_it_was(files_of, hub, caplog):
    files_of().fetch("config.json", SIZE)
    hub.faults["config.json"] = [status(503)] * 10
    assert files_of().fetch("config.json", SIZE).path.read_bytes() == b"{}"
    assert "what is in the cache is used" in caplog.text


def test_without_a_network_and_a_cache_it_is_said(files_of):
    with pytest.raises(HubError, match="is not in the cache") as caught:
        files_of(offline=True).fetch("config.json", SIZE)
    assert not isinstance(caught.value, MissingError)


def test_without_a_network_it_is_known_what_the_hub_does_not_have(files_of):
    for offline in (False, True):
        with pytest.raises(MissingError):
            files_of(PINNED, offline=offline).fetch("bundle.json", SIZE)


def test_a_file_of_the_cache_that_was_damaged_is_fetched_again(files_of, hub):
    files_of(PINNED).fetch("config.json", SIZE).path.write_bytes(b"{ ")
    assert files_of(PINNED).fetch("config.json", SIZE).path.read_bytes() == b"{}"
    assert len(hub.asked) == 2


def test_another_sum_than_that_in_the_cache_is_not_served_from_it(files_of):
    files_of(PINNED).fetch("config.json", SIZE)
    with pytest.raises(BundleError, match="is not what was promised"):
        files_of(PINNED).fetch("config.json", SIZE, sha256="0" * 64)


def test_a_web_folder_is_asked_whether_it_is_still_the_same(files_of, hub):
    url = f"{hub.store_url}/"
    files_of(url).fetch("onnx/model.onnx", SIZE)
    assert files_of(url).fetch("onnx/model.onnx", SIZE).checked == "nobody"
    hub.files["onnx/model.onnx"] = b"newer"
    assert files_of(url).fetch("onnx/model.onnx", SIZE).path.read_bytes() == b"newer"


def test_a_web_folder_that_cannot_be_reached_is_taken_from_the_cache(files_of, hub, caplog):
    url = f"{hub.store_url}/"
    files_of(url).fetch("onnx/model.onnx", SIZE)
    hub.faults["onnx/model.onnx"] = [cut_after(1)] + [status(502)] * 10
    hub.files["onnx/model.onnx"] = b"newer"
    assert files_of(url).fetch("onnx/model.onnx", SIZE).path.read_bytes().startswith(b"graph")
    assert "what is in the cache is used" in caplog.text


def test_a_file_of_a_folder_is_where_it_is(files_of, tmp_path):
    (tmp_path / "config.json").write_bytes(b"{}")
    files = files_of(str(tmp_path))
    assert files.fetch("config.json", SIZE).path == tmp_path / "config.json"
    with pytest.raises(MissingError):
        files.fetch("absent", SIZE)
    with pytest.raises(BundleError, match="expected the sum 0000"):
        files.fetch("config.json", SIZE, "0" * 64)
    with pytest.raises(BundleError, match="is larger than"):
        files.fetch("config.json", 1)
