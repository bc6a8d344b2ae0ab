"""Who may look at the page: the token, and the sessions that it is exchanged for."""

import hashlib
import hmac
import logging
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from ast_edge.base.secret_values import hide
from ast_edge.base.state_folder import state_folder
from ast_edge.base.text_file import read_text
from ast_edge.monitoring.web_config import SHORTEST_TOKEN, WebConfig
from ast_edge.monitoring.web_token import check_web, given_token

log = logging.getLogger(__name__)

SESSION_SECONDS = 30 * 86400


class Access:
    """The token of a page, and sessions that prove that it was known.

    Sessions are signed by the token, not kept: they outlive a restart, and another token ends all.
    """

    def __init__(self, token: str, *, made: bool, wall: Callable[[], float] = time.time) -> None:
        """Take the token; `made` if nobody has given it, so that it may be told."""
        self._token, self.made, self._wall = token.encode(), made, wall
        self._key = hmac.digest(self._token, b"ast-edge session", hashlib.sha256)

    @property
    def fragment(self) -> str:
        """What follows the address in a link for the daemon's own user."""
        return f"#token={self._token.decode()}" if self.made else ""

    def admits(self, token: str) -> bool:
        """Tell whether a token is the right one."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token)

    def begin_session(self) -> str:
        """Return the value of a cookie."""
        expiry = str(int(self._wall()) + SESSION_SECONDS)
        return f"{expiry}.{self._sign(expiry)}"

    def knows(self, session: str) -> bool:
        """Tell whether a cookie is one of ours, and has not expired."""
        if not session.isascii():  # compared are texts of ASCII alone
            return False
        expiry, _, signature = session.partition(".")
        if not hmac.compare_digest(signature, self._sign(expiry)):
            return False
        return self._wall() < int(expiry)

    def _sign(self, expiry: str) -> str:
        return hmac.new(self._key, expiry.encode(), hashlib.sha256).hexdigest()


def open_access(config: WebConfig, node: str, *, kept: bool = True) -> Access:
    """Find the token, or make one if the page is for this machine alone.

    One that is made is kept in the state folder if `kept`.

    Raises:
        ConfigError: a file cannot be read, the token is too short, or there must be one.
    """
    check_web(config)
    if given := given_token(config):
        hide(given, "***")
        return Access(given, made=False)
    token = _kept(state_folder() / f"web-token-{node}") if kept else secrets.token_urlsafe(18)
    hide(token, "***")
    return Access(token, made=True)


def _kept(path: Path) -> str:
    """Return the token of before, or make one; one that cannot be kept is for this start only."""
    try:
        token = read_text(path).strip()
        if len(token) >= SHORTEST_TOKEN:
            return token
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as exc:
        log.warning("%s: cannot be read: %s; another token is made", path, exc)
    token = secrets.token_urlsafe(18)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(token + "\n")
    except OSError as exc:
        log.warning("%s: cannot be written: %s; the token is for this start only", path, exc)
    return token
