"""Seeded damage to files: to their bytes, to the words of a text, to the values of a tree."""

import random
from collections.abc import Callable, Iterator
from typing import Any

_NUMBERS = (0, 1, 2, 4, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000)
_NUMBERS += (0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
_WORDS = (
    *(
        "null",
        "true",
        "{}",
        "[]",
        "''",
        '"',
        "'",
        "-",
        "- -",
        ":",
        "? a",
        "<<: *x",
        "*x",
        "&x [*x]",
    ),
    *("!!int x", "!!bool x", "!!float x", "!!timestamp x", "!!binary x", "!!set {a}", "!!omap [a]"),
    *("!!python/object/apply:os.system [id]", "!!python/name:os.system", "|", ">", "%YAML 9.9"),
    *(".nan", ".inf", "-.inf", "1e999", "-1", "0", "0x", "0o9", "1_0", "9" * 5000, "1:99:99"),
    *(
        "2026-99-99",
        "../../etc/passwd",
        "/dev/zero",
        "~nobody",
        "\0",
        "\x1b[2J",
        "\ud7ff",
        "\ufeff",
    ),
    *("a" * 5000, "é", "[" * 300, "{a: " * 300, "\t", "\n\n", "# ", "---\n", "...\n", "on", "off"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 10**6, 2**31, 2**63, -(10**20), 10**400, "", "x"),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        5e-324,
        1e308,
        "\0",
        "../x",
        "x" * 5000,
        "\x1b[2J",
    ),
    *("a\nb", [], {}, [[]], [None], {"a": {}}, ["x"] * 1000, {str(n): n for n in range(1000)}),
)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Change a few bytes, or a few pieces, of a file."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(_DAMAGES)(rng, content)
    return bytes(content)


def misspelt(rng: random.Random, text: str) -> str:
    """Change a few words or lines of a text."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind == 0:
            words = lines[at].split(" ")
            words[rng.randrange(len(words))] = rng.choice(_WORDS)
            lines[at] = " ".join(words)
        elif kind == 1:
            del lines[at]
        elif kind == 2:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif kind == 3:
            lines[at] = " " * rng.randrange(6) + lines[at].lstrip()
        elif kind == 4:
            key = lines[at].split(":")[0]
            lines[at] = f"{key}: {rng.choice(_WORDS)}"
        else:
            place = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:place] + rng.choice(_WORDS) + lines[at][place:]
        text = "\n".join(lines)
    return text


def altered(rng: random.Random, tree: Any) -> Any:
    """Change a few values or keys of a JSON tree in place, and return it."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(tree))
        if not places:
            return tree
        holder, key = rng.choice(places)
        kind = rng.randrange(5)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[rng.choice(("x", "", key + "s", "\0"))] = holder.pop(key)
        elif kind == 2:
            other, name = rng.choice(places)
            holder[key] = _copy(other[name])
        else:
            holder[key] = _copy(rng.choice(_VALUES))
    return tree


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(one) for key, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _place(rng: random.Random, content: bytearray) -> int:
    """Choose a byte; headers are hit more often than their share."""
    size = len(content)
    return rng.randrange(min(size, rng.choice((64, 512, size)))) if size else 0


def _flip(rng: random.Random, content: bytearray) -> None:
    if content:
        content[_place(rng, content)] ^= 1 << rng.randrange(8)


def _replace(rng: random.Random, content: bytearray) -> None:
    if content:
        content[_place(rng, content)] = rng.randrange(256)


def _number(rng: random.Random, content: bytearray) -> None:
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    value = rng.choice(_NUMBERS) & ((1 << 8 * size) - 1)
    at = _place(rng, content)
    content[at : at + size] = value.to_bytes(size, "little" if order == "little" else "big")


def _delete(rng: random.Random, content: bytearray) -> None:
    at = _place(rng, content)
    del content[at : at + rng.choice((1, 2, 4, 16, 256))]


def _insert(rng: random.Random, content: bytearray) -> None:
    at = _place(rng, content)
    content[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16, 256)))


def _repeat(rng: random.Random, content: bytearray) -> None:
    at, size = _place(rng, content), rng.choice((4, 32, 512))
    content[at:at] = content[at : at + size] * rng.choice((1, 2, 16))


def _move(rng: random.Random, content: bytearray) -> None:
    at, to, size = _place(rng, content), _place(rng, content), rng.choice((2, 8, 64))
    content[to : to + size] = content[at : at + size]


def _cut(rng: random.Random, content: bytearray) -> None:
    del content[_place(rng, content) :]


_DAMAGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    *(_flip, _flip, _replace, _replace, _number, _number, _delete, _insert, _repeat, _move, _cut),
)
