"""Text for streams whose encoding lacks some of its characters."""

import codecs
import io
import json
import sys

_NAME = "ast_edge.shown"
_DRAWN = {"█": "#", "─": "-", "→": "->"}
"""What the commands draw, and what stands for it."""


def allow_any_text() -> None:
    """Let standard output and error take any text, file names of other encodings included.

    What they cannot hold is written as JSON escapes it, so that JSON stays JSON.
    """
    codecs.register_error(_NAME, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it may be closed, or a test's own
            stream.reconfigure(errors=_NAME)


def _escape(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    text = fault.object[fault.start : fault.end]
    return "".join(_DRAWN.get(char) or json.dumps(char)[1:-1] for char in text), fault.end
