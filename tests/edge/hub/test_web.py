"""What is asked of whom, and where a redirect may lead."""

import shutil
import threading

import pytest
from rigs.broker.mosquitto import make_authority
from rigs.hub.server import COMMIT, REPOSITORY, Hub, Stall, status

from ast_edge.base.errors import ConfigError
from ast_edge.base.secret_values import masked
from ast_edge.hub import web
from ast_edge.hub.errors import HubError, MissingError
from ast_edge.hub.web import TransferFault, Web

GRAPH = "onnx/model.onnx"
TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def fetch(hub):
    """Fetch a file of the repository in one attempt."""
    hub.files.update({GRAPH: bytes(range(256)) * 100, "config.json": b"{}"})

    def fetch(path=GRAPH, timeout=10.0, url=None, **options):
        url = url or f"{hub.url}/{REPOSITORY}/resolve/main/{path}"
        with Web(hub.url, timeout).open(url, **options) as answer:
            content = b""
            while piece := answer.read():
                content += piece
            return answer, content

    return fetch


def test_a_large_file_comes_from_another_host(fetch, hub):
    answer, content = fetch()
    assert content == hub.files[GRAPH]
    assert answer.total == len(content)
    assert len(hub.sent) == 1


def test_the_hub_states_sum_and_commit(fetch):
    answer, _ = fetch()
    assert len(answer.stated) == 64
    assert answer.commit == COMMIT


def test_of_a_small_file_it_states_what_git_does(fetch):
    answer, content = fetch("config.json")
    assert content == b"{}"
    assert len(answer.stated) == 40


def test_the_token_goes_to_the_hub_alone(fetch, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch()
    assert hub.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "Authorization" not in hub.sent[0].headers


def test_a_mirror_may_send_to_the_public_hub_which_states_sums_and_gets_no_token(
    fetch, hub, monkeypatch
):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(web, "HUB", hub.url)
    with Hub() as mirror:
        path = f"/{REPOSITORY}/resolve/main/{GRAPH}"
        mirror.faults["config.json"] = [status(308, Location=f"{hub.url}{path}")]
        with Web(mirror.url).open(f"{mirror.url}/a/b/resolve/main/config.json") as answer:
            assert answer.commit == COMMIT
            assert len(answer.stated) == 64
        assert "Authorization" in mirror.asked[0].headers
    assert "Authorization" not in hub.asked[0].headers


def test_no_other_server_gets_the_token(fetch, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch(url=f"{hub.store_url}/{GRAPH}")
    assert "Authorization" not in hub.sent[0].headers


def test_the_token_is_not_sent_where_others_could_read_it(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetcher = Web("http://hub.invalid")
    sent = []
    monkeypatch.setattr(
        fetcher._opener, "open", lambda request, timeout: sent.append(request) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError), fetcher.open("http://hub.invalid/a/b/resolve/main/c"):
        pass
    assert not sent[0].has_header("Authorization")


def test_the_token_is_never_shown(fetch, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.faults["config.json"] = [status(403)]
    with pytest.raises(HubError):
        fetch("config.json")
    assert masked(f"a line with {TOKEN}") == "a line with HF_TOKEN"


def test_a_token_that_cannot_be_sent_is_refused_without_showing_it(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "two\nlines")
    with pytest.raises(ConfigError, match="HF_TOKEN: expected") as caught:
        Web(hub.url)
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (404, MissingError, "no such file"),
        (410, MissingError, "no such file"),
        (401, HubError, "set HF_TOKEN"),
        (403, HubError, "set HF_TOKEN"),
        (400, HubError, "the server answers 400"),
        (204, HubError, "the server answers 204"),
        (500, TransferFault, "the server answers 500"),
        (503, TransferFault, "the server answers 503"),
        (429, TransferFault, "the server answers 429"),
    ],
)
def test_a_server_that_refuses_is_quoted(fetch, hub, code, kind, message):
    hub.faults["config.json"] = [status(code)]
    with pytest.raises(kind, match=message):
        fetch("config.json")


def test_a_signed_address_is_not_shown(fetch, hub):
    hub.faults[GRAPH] = [status(403)]
    with pytest.raises(HubError) as caught:
        fetch()
    assert "secret" not in str(caught.value)


def test_redirects_in_a_circle_end(fetch, hub):
    hub.faults["config.json"] = [status(302, Location="/loop")]
    hub.faults["loop"] = [status(302, Location=f"/{REPOSITORY}/resolve/main/config.json")]
    with pytest.raises(HubError, match="in a circle"):
        fetch("config.json")


def test_redirects_without_an_end_end(fetch, hub):
    hub.faults["config.json"] = [status(302, Location="/0")]
    hub.faults |= {str(n): [status(307, Location=f"/{n + 1}")] for n in range(100)}
    with pytest.raises(HubError, match="without an end"):
        fetch("config.json")
    assert len(hub.asked) < 20


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://x.org/a", "https://", "", "data:,a", "http://[::1"]
)
def test_a_redirect_to_what_is_no_web_server_is_refused(fetch, hub, location):
    hub.faults["config.json"] = [status(302, Location=location)]
    with pytest.raises(HubError):
        fetch("config.json")


def test_a_repository_that_was_renamed_is_followed_with_the_token(fetch, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.faults["config.json"] = [status(307, Location="/other/name/resolve/main/config.json")]
    _, content = fetch("config.json")
    assert content == b"{}"
    assert [request.headers.get("Authorization") for request in hub.asked] == [
        f"Bearer {TOKEN}"
    ] * 2


def test_what_comes_compressed_is_refused(fetch, hub):
    hub.faults["config.json"] = [status(200, Content_Encoding="gzip")]
    with pytest.raises(HubError, match="comes compressed"):
        fetch("config.json")


def test_a_part_is_asked_for(fetch, hub):
    answer, content = fetch(start=100)
    assert (answer.status, answer.start) == (206, 100)
    assert content == hub.files[GRAPH][100:]


def test_a_part_of_which_the_server_does_not_say_which_is_refused(fetch, hub):
    hub.faults[GRAPH] = [status(206)]
    with pytest.raises(HubError, match="without saying which"):
        fetch(start=100)


def test_a_server_that_falls_silent_is_not_waited_for(fetch, hub):
    stall = Stall(1000)
    hub.faults[GRAPH] = [stall]
    with pytest.raises(TransferFault, match="no answer in time"):
        fetch(timeout=0.5)
    stall.over.set()


def test_a_server_that_does_not_answer_at_all_is_a_fault(fetch, hub):
    over = threading.Event()
    hub.faults[GRAPH] = [lambda handler, content: over.wait(60)]
    with pytest.raises(TransferFault, match="no answer in time"):
        fetch(timeout=0.5)
    over.set()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a", "http://no.such.host.invalid/a"])
def test_no_network_is_a_fault_that_names_the_host(fetch, url):
    with pytest.raises(TransferFault, match=url):
        fetch(url=url)


@pytest.fixture
def safe_hub(tmp_path):
    """A hub by https, whose certificate nobody trusts yet."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    make_authority(tmp_path)
    with Hub(files={GRAPH: b"graph", "config.json": b"{}"}, authority=tmp_path) as hub:
        yield hub


def read(hub, path):
    with Web(hub.url).open(f"{hub.url}/{REPOSITORY}/resolve/main/{path}") as answer:
        return answer.read()


def test_a_certificate_that_nobody_trusts_is_refused(safe_hub):
    with pytest.raises(HubError, match=r"no safe connection: .*certificate"):
        read(safe_hub, "config.json")


def test_a_trusted_hub_gets_the_token_by_https(safe_hub, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert read(safe_hub, "config.json") == b"{}"
    assert safe_hub.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_redirect_from_https_to_http_is_refused(safe_hub, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    with pytest.raises(HubError, match="expected an address by https"):
        read(safe_hub, GRAPH)
    assert safe_hub.sent == []
