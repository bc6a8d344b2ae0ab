"""Addresses of live streams, and how they are shown: without what opens them."""

from urllib.parse import unquote, urlsplit

from ast_edge.base.host_name import host_fault

SCHEMES = ("rtsp", "rtsps", "http", "https", "srt", "rtmp", "rtmps")
SHORTEST_SECRET = 4
"""Letters; what is shorter is in many words, and is hidden where it stands in an address only."""


def check_url(url: str) -> None:
    """Refuse what is no address of a stream.

    Raises:
        ValueError: with the reason; it does not quote the address, which may hold a password.
    """
    remedy = "in a password write '/', '?', '#' and '@' as %2F, %3F, %23 and %40"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # whose reason quotes what may be a part of a password
        raise ValueError(f"is not a URL; {remedy}") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"expected a URL that begins with {', '.join(SCHEMES)} and ://")
    if not host:
        raise ValueError(f"expected a host after {parts.scheme}://")
    if fault := host_fault(host):
        raise ValueError(f"its host {fault}; {remedy}")
    if port and "@" not in parts.netloc and "@" in url:  # what looks like a port is a password
        raise ValueError(f"has an '@' after the host; {remedy}")
    if any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError("a URL has no spaces in it; write %20")


def is_rtsp(url: str) -> bool:
    """Tell whether an address is that of a camera or another server of RTSP."""
    return urlsplit(url).scheme in ("rtsp", "rtsps")


def with_lower_scheme(url: str) -> str:
    """Write RTSP:// as rtsp://, as which alone ffmpeg knows it."""
    scheme, colon, rest = url.partition(":")
    return scheme.lower() + colon + rest


def shown_url(url: str) -> str:
    """Return scheme, host and port: in all the rest there may be a secret."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}"


def secrets_of(url: str) -> dict[str, str]:
    """Return what must not be shown of an address, with what is shown instead, longest first."""
    parts = urlsplit(url)
    user, _, _ = parts.netloc.rpartition("@")
    password = user.partition(":")[2]
    secrets = {url: shown_url(url)}
    if user:
        secrets[f"{user}@"] = "***@"
    for secret in (user, password, unquote(password), parts.query, parts.path.strip("/")):
        if len(secret) >= SHORTEST_SECRET:
            secrets.setdefault(secret, "***")
    return dict(sorted(secrets.items(), key=lambda item: -len(item[0])))
