"""Files arrive whole or not at all, whatever happens on the way."""

import errno
import hashlib

import pytest
from rigs import tmpfs
from rigs.hub.server import REPOSITORY, Stall, cut_after, endless, status, trickle, whole_again

from ast_edge.base.errors import BundleError
from ast_edge.hub import download as download_module
from ast_edge.hub.download import PATIENCE, Download
from ast_edge.hub.errors import HubError, StorageError
from ast_edge.hub.web import Web

CONTENT = hashlib.shake_256(b"graph").digest(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GRAPH = "onnx/model.onnx"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "model.onnx"


@pytest.fixture
def download(hub, target):
    """Download the hub's graph, or a file from a server that states no sums."""
    hub.files[GRAPH] = CONTENT

    def download(sha256="", known="", plain=False, largest=1 << 20, progress=None, folder=None):
        url = (
            f"{hub.store_url}/{GRAPH}" if plain else f"{hub.url}/{REPOSITORY}/resolve/main/{GRAPH}"
        )
        place = folder / target.name if folder else target
        told = progress or (lambda file, done, total: None)
        web = Web(hub.url, stall_timeout=1.0)
        return Download(web, url, place, largest, told, pause=lambda _: None).run(sha256, known)

    return download


def left(target):
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives_and_the_hub_vouches_for_it(download, target):
    fetched = download()
    assert target.read_bytes() == CONTENT
    assert (fetched.sha256, fetched.checked) == (SHA256, "hub")
    assert left(target) == ["model.onnx"]


def test_a_sum_that_is_pinned_counts(download):
    assert download(sha256=SHA256).checked == "pinned"


def test_of_a_server_without_sums_nobody_vouches(download):
    assert download(plain=True).checked == "nobody"


def test_progress_is_told_to_the_last_byte(download):
    told = []
    download(progress=lambda *what: told.append(what))
    assert told[-1] == ("model.onnx", len(CONTENT), len(CONTENT))
    assert len(told) > 2


@pytest.mark.parametrize("plain", [False, True])
def test_a_connection_that_breaks_is_resumed_where_it_was(download, hub, target, plain):
    hub.faults[GRAPH] = [cut_after(100_000)]
    download(plain=plain)
    assert target.read_bytes() == CONTENT
    assert [request.headers.get("Range") for request in hub.sent] == [None, "bytes=100000-"]


def test_a_connection_that_stalls_is_resumed(download, hub, target):
    stall = Stall(100_000)
    hub.faults[GRAPH] = [stall]
    download()
    stall.over.set()
    assert target.read_bytes() == CONTENT
    assert hub.sent[1].headers["Range"] == "bytes=100000-"


def test_a_connection_that_hardly_moves_is_made_anew(download, hub, target, monkeypatch):
    monkeypatch.setattr(download_module, "OVER", 0.2)
    hub.faults[GRAPH] = [trickle]
    download()
    assert target.read_bytes() == CONTENT
    assert len(hub.sent) == 2


def test_a_server_that_knows_no_parts_is_read_from_the_start(download, hub, target):
    hub.faults[GRAPH] = [cut_after(100_000), whole_again]
    download()
    assert target.read_bytes() == CONTENT


def test_a_second_run_goes_on_where_the_first_ended(download, hub, target):
    hub.faults[GRAPH] = [cut_after(200_000), *[status(503)] * PATIENCE]
    with pytest.raises(HubError, match=r"0\.2 MB are kept, try again to go on"):
        download()
    assert not target.exists()
    download()
    assert target.read_bytes() == CONTENT
    assert hub.sent[-1].headers["Range"] == "bytes=200000-"


def test_a_second_run_starts_anew_if_the_file_is_another_now(download, hub, target):
    hub.faults[GRAPH] = [cut_after(200_000), *[status(503)] * PATIENCE]
    with pytest.raises(HubError):
        download()
    hub.files[GRAPH] = newer = CONTENT[::-1]
    download()
    assert target.read_bytes() == newer


def test_without_a_sum_the_server_says_whether_the_part_is_still_of_the_file(download, hub, target):
    hub.faults[GRAPH] = [cut_after(200_000), *[status(503)] * PATIENCE]
    with pytest.raises(HubError):
        download(plain=True)
    hub.files[GRAPH] = newer = CONTENT[::-1] + b"more"
    download(plain=True)
    assert target.read_bytes() == newer


def test_all_was_there_but_not_checked_yet(download, hub, target):
    hub.faults[GRAPH] = [cut_after(200_000), *[status(503)] * PATIENCE]
    with pytest.raises(HubError):
        download()
    (target.parent / "model.onnx.partial").write_bytes(CONTENT)
    assert download().checked == "hub"


def test_a_server_that_always_breaks_off_is_given_up(download, hub, target):
    hub.faults[GRAPH] = [cut_after(100_000)] * 100
    with pytest.raises(HubError, match="ended after 100000 of 300000 bytes"):
        download()
    assert len(hub.sent) == PATIENCE


def test_no_network_is_given_up_after_a_few_attempts(hub, target):
    pauses = []
    download = Download(
        Web(hub.url), "http://127.0.0.1:9/x", target, 1, lambda *_: None, pauses.append
    )
    with pytest.raises(HubError, match="Connection refused"):
        download.run()
    assert pauses == [1, 2, 4]


@pytest.mark.parametrize("pinned", [False, True])
def test_a_wrong_sum_keeps_nothing(download, hub, target, pinned):
    hub.stated[GRAPH] = "0" * 64
    with pytest.raises(BundleError, match="is not what was promised: expected the sum 0000"):
        download(sha256="0" * 64 if pinned else "")
    assert left(target) == []


def test_a_wrong_sum_of_a_small_file_keeps_nothing(hub, target):
    hub.files["config.json"], hub.stated["config.json"] = b"{}", "0" * 40
    url = f"{hub.url}/{REPOSITORY}/resolve/main/config.json"
    with pytest.raises(BundleError, match="is not what was promised"):
        Download(Web(hub.url), url, target, 100, lambda *_: None).run()


def test_a_file_that_is_too_large_is_not_begun(download, target):
    with pytest.raises(BundleError, match="expected at most 0 MB"):
        download(largest=1000)
    assert left(target) == []


def test_a_file_without_an_end_is_cut_off(download, hub, target):
    hub.faults[GRAPH] = [endless]
    with pytest.raises(BundleError, match="does not end after the 1048576 bytes"):
        download(plain=True)
    assert left(target) == []


def test_more_than_was_announced_is_not_taken(download, hub, target):
    hub.faults[GRAPH] = [endless]
    with pytest.raises(BundleError, match="does not end after the 300000 bytes"):
        download()
    assert left(target) == []


def test_what_the_server_still_has_is_not_sent_again(download):
    fetched = download()
    assert download(known=fetched.etag) is None


def test_two_at_once_are_one_too_many(download, target, hub):
    met = []

    def second(*_):
        if not met:
            with pytest.raises(HubError, match="another ast-edge is downloading it") as caught:
                download()
            met.append(caught)

    download(progress=second)
    assert met
    assert target.read_bytes() == CONTENT


@pytest.mark.root
@pytest.mark.skipif(bool(tmpfs.available()), reason=tmpfs.available())
def test_a_disk_with_too_little_room_is_said_before_anything_is_written(download, tmp_path):
    with tmpfs.mounted(tmp_path / "small", "128k") as folder:
        with pytest.raises(StorageError, match=r"0\.3 MB are to be written and 0\.1 MB are free"):
            download(folder=folder)
        assert sum(path.stat().st_size for path in folder.iterdir()) == 0


@pytest.mark.root
@pytest.mark.skipif(bool(tmpfs.available()), reason=tmpfs.available())
def test_a_disk_that_fills_up_meanwhile_is_left_as_it_was(download, tmp_path):
    with tmpfs.mounted(tmp_path / "small", "400k") as folder:

        def others(file, done, total):
            if not (folder / "ballast").exists():
                tmpfs.fill(folder)

        with pytest.raises(StorageError, match="No space left on device"):
            download(folder=folder, progress=others)
        (folder / "ballast").unlink()
        assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(download, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written: File exists") as caught:
        download(folder=tmp_path / "file")
    assert caught.value.__cause__.errno == errno.EEXIST
