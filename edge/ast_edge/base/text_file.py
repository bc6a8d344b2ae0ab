"""Text files as editors and spreadsheets write them: in UTF-8, or as their byte order mark says."""

import codecs
import io
from pathlib import Path
from typing import TextIO

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the mark of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def open_text(path: Path, newline: str | None = None) -> TextIO:
    """Open a text to read; its mark is no part of it.

    Args:
        path: the file; opened once, so that it may be a pipe.
        newline: as `open` has it.

    Raises:
        OSError: if it cannot be opened. Reading raises UnicodeDecodeError where it is no such text.
    """
    raw = io.BufferedReader(path.open("rb", buffering=0))
    try:
        return io.TextIOWrapper(raw, encoding=_encoding(raw.peek(4)), newline=newline)
    except OSError:  # a folder, a broken disk
        raw.close()
        raise


def read_text(path: Path) -> str:
    """Read a text whole, without its mark.

    Raises:
        OSError: if it cannot be read.
        UnicodeDecodeError: if it is no such text.
    """
    with open_text(path) as file:
        return file.read()


def decode_text(data: bytes) -> str:
    """Decode the bytes of a text file.

    Raises:
        UnicodeDecodeError: if they are none.
    """
    return data.decode(_encoding(data))


def _encoding(head: bytes) -> str:
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "utf-8")
