import pytest

from ast_edge.base.printable import printable, printable_tree


@pytest.mark.parametrize("text", ["", "Dog", "Schöne Grüße", "犬の鳴き声", "3 °C, 50 %", "🐕"])
def test_ordinary_text_stays_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07\x1b[31mDog", r"\x1b]0;owned\x07\x1b[31mDog"),
        ("a\nERROR b", r"a\nERROR b"),
        ("a\rb\0c\x7fd\x9be", r"a\rb\x00c\x7fd\x9be"),
        ("user\u202egnp.exe", r"user\u202egnp.exe"),
        ("a\u2028b\ud800c", r"a\u2028b\ud800c"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert printable(text) == shown


def test_all_text_of_a_document_is_printable():
    tree = {"a\x1b": ["b\x07", {"c": "d\n"}], "n": 1.5, "none": None}
    assert printable_tree(tree) == {r"a\x1b": [r"b\x07", {"c": r"d\n"}], "n": 1.5, "none": None}
