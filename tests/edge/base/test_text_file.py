import os
import threading

import pytest

from ast_edge.base.text_file import decode_text, open_text, read_text

MARKED = ["utf-8-sig", "utf-16", "utf-32"]
TEXT = "Hündin\nKühlschrank\n"


@pytest.mark.parametrize("encoding", ["utf-8", *MARKED])
def test_a_mark_says_the_encoding_and_is_no_part_of_the_text(tmp_path, encoding):
    (tmp_path / "a.txt").write_text(TEXT, encoding=encoding)
    assert read_text(tmp_path / "a.txt") == TEXT
    assert decode_text(TEXT.encode(encoding)) == TEXT


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_either_order_of_bytes_is_read(codec):
    assert decode_text(("\ufeff" + TEXT).encode(codec)) == TEXT


def test_an_empty_file_is_an_empty_text(tmp_path):
    (tmp_path / "a.txt").touch()
    assert read_text(tmp_path / "a.txt") == ""


def test_ends_of_lines_are_kept_where_they_are_to_be(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfa\r\nb")
    with open_text(tmp_path / "a.txt", newline="") as file:
        assert file.read() == "a\r\nb"


def test_a_pipe_is_read_from_its_first_byte(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text("secret\n"))
    writer.start()
    assert read_text(tmp_path / "pipe") == "secret\n"
    writer.join()


@pytest.mark.parametrize("data", [b"\xe4", b"\xff\xfe\x00"])
def test_what_is_no_text_is_refused(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "a.txt")


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
