import json

from ast_edge.app.config import load_config


def fingerprint(tmp_path, **changes):
    tree = {"node": "attic", "sources": {"hall": {"microphone": "default"}}} | changes
    path = tmp_path / "mic.yaml"
    path.write_text(json.dumps(tree))
    return load_config(path).fingerprint


def test_nodes_that_are_configured_alike_have_the_same_fingerprint(tmp_path):
    assert fingerprint(tmp_path) == fingerprint(tmp_path, node="barn")


def test_another_setting_is_another_fingerprint(tmp_path):
    assert fingerprint(tmp_path) != fingerprint(tmp_path, hop=1.0)


def test_nodes_with_credentials_of_their_own_have_the_same_fingerprint(tmp_path):
    found = {
        fingerprint(tmp_path, mqtt={"username": name, "password": f"of {name}"})
        for name in ("attic", "barn")
    }
    assert len(found) == 1


def test_a_secret_is_not_in_the_fingerprint(tmp_path):
    found = {
        fingerprint(tmp_path, sources={"hall": {"url": f"rtsp://user:{secret}@camera/1"}})
        for secret in ("correct-horse", "battery")
    }
    assert len(found) == 1


def test_a_secret_from_another_file_is_not_in_the_fingerprint(tmp_path):
    found, path = set(), tmp_path / "mic.yaml"
    path.write_text("sources: {hall: {microphone: !secret mic}}\n")
    for secret in ("correct-horse", "battery"):
        (tmp_path / "secrets.yaml").write_text(f"mic: {secret}\n")
        found.add(load_config(path).fingerprint)
    assert len(found) == 1
