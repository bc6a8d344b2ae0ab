import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.hub.known import KNOWN
from ast_edge.hub.origin import HUB, Origin, hub_endpoint, parse_origin

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_known_name_is_a_commit_that_never_changes():
    origin = parse_origin("audioset", HUB)
    assert origin.place == KNOWN["audioset"].repository
    assert origin.is_pinned


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("hf:a/b", Origin("hub", "a/b", "main")),
        (f"hf:a/b.c-d@{COMMIT}", Origin("hub", "a/b.c-d", COMMIT)),
        ("hf:a/b@refs/pr/1", Origin("hub", "a/b", "refs/pr/1")),
        (f"{HUB}/a/b", Origin("hub", "a/b", "main")),
        (f"{HUB}/a/b/tree/v1", Origin("hub", "a/b", "v1")),
        (f"{HUB}/a/b/blob/main/onnx/model.onnx", Origin("hub", "a/b", "main")),
        (f"{HUB}/a/b/resolve/{COMMIT}/config.json?download=true", Origin("hub", "a/b", COMMIT)),
        ("https://mirror.lan/a/b", Origin("hub", "a/b", "main")),
        ("https://x.org/models/ast/", Origin("url", "https://x.org/models/ast/")),
        ("https://x.org/m/ast/onnx/model.onnx", Origin("url", "https://x.org/m/ast")),
        ("https://x.org/m/ast/config.json", Origin("url", "https://x.org/m/ast")),
    ],
)
def test_what_users_write_is_understood(text, origin):
    assert parse_origin(text, "https://mirror.lan") == origin


def test_a_folder_is_one(tmp_path):
    assert parse_origin(str(tmp_path), HUB) == Origin("folder", str(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no-such-name",
        "hf:alone",
        "hf:a/b/c",
        "hf:a/..",
        "hf:../b",
        "hf:a/b@",
        "hf:a/b@../../x",
        "hf:a/b@/x",
        "hf:a b/c",
        "file:///etc",
        "ftp://x.org/a",
        "https://",
        "https://x.org:port/a",
        "https://x.org/a b",
        "https://user:password@x.org/a",
        "x" * 5000,
    ],
)
def test_what_cannot_be_is_refused(text):
    with pytest.raises(ConfigError) as caught:
        parse_origin(text, HUB)
    assert "password@" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hf:Xenova/AST-0.4593", "ast-0.4593"),
        ("https://x.org/models/My%20Model/?key=1", "my-model"),
    ],
)
def test_a_name_is_suggested(text, name):
    assert parse_origin(text, HUB).suggested_name == name


def test_a_query_is_not_shown():
    assert parse_origin("https://x.org/a?key=secret", HUB).title == "https://x.org/a"


def test_files_lie_where_the_hub_has_them():
    pinned = Origin("hub", "a/b", "refs/pr/1")
    assert (
        pinned.url_of("onnx/model.onnx", HUB) == f"{HUB}/a/b/resolve/refs%2Fpr%2F1/onnx/model.onnx"
    )
    assert Origin("url", "https://x.org/m?k=1").url_of("a/b", HUB) == "https://x.org/m/a/b?k=1"


def test_the_address_of_the_hub_is_that_of_its_own_client(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert hub_endpoint() == "https://huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.lan:8080/")
    assert hub_endpoint() == "http://mirror.lan:8080"
    monkeypatch.setenv("HF_ENDPOINT", "mirror.lan")
    with pytest.raises(ConfigError, match="HF_ENDPOINT: expected https"):
        hub_endpoint()
