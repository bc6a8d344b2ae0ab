"""Where a model comes from, as a user writes it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from ast_edge.base.errors import ConfigError
from ast_edge.hub.known import KNOWN

HUB = "https://huggingface.co"
_REPOSITORY = r"[\w-][\w.-]*/[\w-][\w.-]*"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Origin:
    """A repository of a hub, a folder of a web server, or one of this machine."""

    kind: Literal["hub", "url", "folder"]
    place: str
    """OWNER/NAME, the URL or the path."""
    revision: str = ""
    """Of a repository: a commit, a branch or a tag."""

    @property
    def is_pinned(self) -> bool:
        """Whether what lies there never changes."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def title(self) -> str:
        """One line for people, and for the bundle's provenance; no secret is in it."""
        if self.kind == "hub":
            return f"hf:{self.place}@{self.revision}"
        return shown(self.place) if self.kind == "url" else str(Path(self.place).resolve())

    @property
    def suggested_name(self) -> str:
        """A name for the bundle, of letters that a folder may have."""
        last = urlsplit(self.place).path if self.kind == "url" else self.title.partition("@")[0]
        words = re.sub(r"[^\w.-]+", "-", unquote(last.rstrip("/").rpartition("/")[2]))
        return words.strip(".-").lower()

    def url_of(self, path: str, endpoint: str) -> str:
        """Return the address of a file of it."""
        if self.kind == "hub":
            revision = quote(self.revision, safe="")
            return f"{endpoint}/{self.place}/resolve/{revision}/{quote(path)}"
        base = urlsplit(self.place)
        return base._replace(path=f"{base.path.rstrip('/')}/{quote(path)}").geturl()


def hub_endpoint() -> str:
    """Return the hub's address: `HF_ENDPOINT`, as its own client has it, or the public one.

    Raises:
        ConfigError: if it is no web address.
    """
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB
    _check_url(endpoint, "HF_ENDPOINT")
    return endpoint


def parse_origin(text: str, endpoint: str) -> Origin:
    """Tell a name that is known, `hf:OWNER/NAME[@REVISION]`, a URL and a folder apart.

    Raises:
        ConfigError: if it is none of them, or a URL that cannot be used.
    """
    if text in KNOWN:
        return Origin("hub", KNOWN[text].repository, KNOWN[text].revision)
    if text.startswith("hf:"):
        return _repository(text)
    if re.match(r"[a-zA-Z][\w+.-]*://", text):
        return _web(text, endpoint)
    try:
        if text and Path(text).is_dir():
            return Origin("folder", text)
    except OSError as exc:
        raise ConfigError(f"{text!r:.100}: {exc.strerror}") from exc
    raise ConfigError(
        f"expected {' or '.join(KNOWN)}, hf:OWNER/NAME, hf:OWNER/NAME@REVISION, a https URL or a "
        f"folder, got {text!r:.100}"
    )


def _repository(text: str) -> Origin:
    found = re.fullmatch(rf"hf:({_REPOSITORY})(?:@([\w./-]+))?", text)
    if found is None or ".." in text or (found[2] or "").startswith("/"):
        raise ConfigError(
            f"expected hf:OWNER/NAME or hf:OWNER/NAME@REVISION, got {text!r:.100}; the revision is "
            "a commit, a branch or a tag"
        )
    return Origin("hub", found[1], found[2] or "main")


def _web(text: str, endpoint: str) -> Origin:
    """Take a URL; a page or a file of the hub's is its repository."""
    _check_url(text, "the URL")
    for hub in dict.fromkeys((endpoint, HUB)):
        page = text.partition("?")[0]
        found = re.fullmatch(
            rf"{re.escape(hub)}/({_REPOSITORY})(?:/(?:tree|blob|resolve)/([^/?#]+)(?:/.*)?)?/?",
            page,
        )
        if found:
            revision = f"@{unquote(found[2])}" if found[2] else ""
            return _repository(f"hf:{found[1]}{revision}")
    parts = urlsplit(text)
    path = parts.path
    if path.endswith((".onnx", ".json")):  # one file of the folder that is meant
        path = path.rpartition("/")[0].removesuffix("/onnx")
    return Origin("url", parts._replace(path=path, fragment="").geturl())


def _check_url(url: str, what: str) -> None:
    parts = urlsplit(url)
    try:
        named = parts.hostname and (parts.port or True)
    except ValueError:  # a port that is none
        named = None
    if parts.scheme not in ("https", "http") or not named or not url.isprintable() or " " in url:
        raise ConfigError(f"{what}: expected https://HOST/…, got {shown(url)!r:.100}")
    if "@" in parts.netloc:
        raise ConfigError(f"{what}: expected no user and password in it, they would be shown")


def shown(url: str) -> str:
    """Return a URL as it may be shown: a query can hold a key, and who wrote a password errs."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
