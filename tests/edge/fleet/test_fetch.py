import os
import shutil
import ssl
from dataclasses import replace

import pytest
from rigs.broker.mosquitto import make_authority
from rigs.hub.server import Hub, cut_after, endless, status

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.hub.updates import make_bundle, publish

from ast_edge.base.errors import BundleError
from ast_edge.fleet import fetch as module
from ast_edge.fleet.fetch import fetch, published_size
from ast_edge.fleet.places import Places
from ast_edge.fleet.record import Shelf
from ast_edge.hub.errors import HubError, StorageError
from ast_edge.model.bundle import load_bundle


@pytest.fixture
def hub():
    with Hub() as hub:
        yield hub


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "better", "better")


@pytest.fixture
def get(hub):
    """Fetch what a pointer points to, from wherever the server has it."""

    def get(pointer, places=None, progress=lambda done: None):
        allowed = Places(places or [hub.url])
        return fetch(pointer, allowed, Shelf("attic"), progress, pause=lambda seconds: None)

    return get


def parts(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def nothing_is_left():
    return not list(Shelf("attic").folder.glob("bundles/*"))


def test_a_bundle_comes_whole(get, hub, bundle):
    pointer = publish(hub, bundle)
    assert parts(get(pointer)) == parts(bundle)
    assert not list(Shelf("attic").folder.glob("downloads/*"))


def test_a_bundle_that_is_here_is_not_asked_for(get, hub, bundle):
    pointer = publish(hub, bundle)
    get(pointer)
    hub.asked.clear()
    get(pointer)
    assert not hub.asked


def test_a_bundle_that_is_damaged_here_is_fetched_again(get, hub, bundle):
    pointer = publish(hub, bundle)
    (get(pointer) / "model.onnx").write_bytes(b"damaged")
    assert parts(get(pointer)) == parts(bundle)


def test_how_far_it_is_is_told_to_its_end(get, hub, bundle):
    done = []
    pointer = publish(hub, bundle)
    get(pointer, progress=done.append)
    assert done == sorted(done)
    assert done[-1] == pointer.size


def test_a_lost_connection_is_gone_on_with(get, hub, bundle):
    pointer = publish(hub, bundle)
    hub.faults["models/better/model.onnx"] = [cut_after(100)]
    assert parts(get(pointer)) == parts(bundle)
    (again,) = [r for r in hub.asked if r.path.endswith("model.onnx") and "Range" in r.headers]
    assert again.headers["Range"] == "bytes=100-"


def test_what_came_before_the_process_ended_is_gone_on_with(get, hub, bundle):
    pointer = publish(hub, bundle)
    hub.faults["models/better/model.onnx"] = [cut_after(100), *[status(503)] * 10]
    with pytest.raises(HubError, match="503"):
        get(pointer)
    hub.faults.clear()
    hub.asked.clear()
    get(pointer)
    (model,) = [r for r in hub.asked if r.path.endswith("model.onnx")]
    assert model.headers["Range"] == "bytes=100-"


@pytest.mark.parametrize("file", ["bundle.json", "model.onnx"])
def test_a_server_that_never_ends_is_left(get, hub, bundle, file):
    pointer = publish(hub, bundle)
    hub.faults[f"models/better/{file}"] = [endless] * 10
    with pytest.raises(BundleError, match="does not end"):
        get(pointer)
    assert nothing_is_left()


def test_files_that_are_larger_together_than_the_pointer_says_are_refused(get, hub, bundle):
    pointer = publish(hub, bundle)
    with pytest.raises(BundleError, match="expected at most"):
        get(replace(pointer, size=pointer.size - 1))
    assert nothing_is_left()


def test_a_description_of_another_sum_is_refused(get, hub, bundle):
    with pytest.raises(BundleError, match="expected the sum 0000"):
        get(publish(hub, bundle, sha256="0" * 64))


def test_a_file_of_another_sum_is_refused(get, hub, bundle):
    pointer = publish(hub, bundle)
    model = bytearray(hub.files["models/better/model.onnx"])
    model[-1] ^= 1
    hub.files["models/better/model.onnx"] = bytes(model)
    with pytest.raises(BundleError, match="is not what was promised"):
        get(pointer)
    assert nothing_is_left()


def test_a_redirect_to_another_place_is_not_followed(get, hub, bundle):
    pointer = publish(hub, bundle)
    hub.faults["models/better/bundle.json"] = [status(302, Location=f"{hub.store_url}/b.json")] * 9
    with pytest.raises(HubError, match="none of the places that are allowed"):
        get(pointer)
    assert not hub.sent


def test_a_redirect_within_the_places_is_followed(get, hub, bundle):
    pointer = publish(hub, bundle)
    hub.files["moved.json"] = hub.files["models/better/bundle.json"]
    hub.faults["models/better/bundle.json"] = [status(302, Location=f"{hub.url}/moved.json")] * 2
    assert parts(get(pointer)) == parts(bundle)


def test_a_certificate_that_nobody_trusts_is_no_safe_connection(tmp_path, bundle, get):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    make_authority(tmp_path)
    with Hub(authority=tmp_path) as hub, pytest.raises(HubError, match="no safe connection"):
        get(publish(hub, bundle), [hub.url])


def test_a_certificate_of_an_authority_that_is_trusted_is_taken(tmp_path, bundle, get, monkeypatch):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    monkeypatch.setenv("SSL_CERT_FILE", str(make_authority(tmp_path)))
    with Hub(authority=tmp_path) as hub:
        assert parts(get(publish(hub, bundle), [hub.url])) == parts(bundle)
    assert ssl.get_default_verify_paths().cafile == os.environ["SSL_CERT_FILE"]


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(get, hub, bundle, monkeypatch):
    monkeypatch.setattr(module, "SPARE_BYTES", 1 << 60)
    with pytest.raises(StorageError, match="MB are needed"):
        get(publish(hub, bundle))
    assert not hub.asked


def test_a_bundle_of_another_time_is_refused(get, hub, bundle):
    description = (bundle / "bundle.json").read_text().replace('"format": 2', '"format": 99')
    (bundle / "bundle.json").write_text(description)
    with pytest.raises(BundleError, match="update ast-edge"):
        get(publish(hub, bundle))
    assert nothing_is_left()


def test_what_is_to_be_published_is_measured(bundle, hub):
    pointer = publish(hub, bundle)
    assert published_size(bundle) == (pointer.sha256, pointer.size)
    assert load_bundle(bundle).name == "better"
