"""Latin letters for those of other scripts, so that topics can be made of any language's names."""

import re
import unicodedata

_LETTERS = """
    а=a б=b в=v г=g д=d е=e ж=zh з=z и=i к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=kh ц=ts
    ч=ch ш=sh щ=shch ъ= ы=y ь= э=e ю=yu я=ya є=ye ґ=g ђ=dj љ=lj њ=nj ћ=c џ=dz ѕ=dz ј=j
    α=a β=v γ=g δ=d ε=e ζ=z η=i θ=th ι=i κ=k λ=l μ=m ν=n ξ=x ο=o π=p ρ=r σ=s ς=s τ=t υ=y φ=f
    χ=ch ψ=ps ω=o æ=ae œ=oe ø=o đ=d ð=d þ=th ł=l ı=i ħ=h ŋ=ng
"""  # noqa: RUF001 (they are meant to look like that)
_SPELT = dict(pair.split("=") for pair in _LETTERS.split())
"""Letters whose names in Unicode do not say how they are written in Latin ones."""
_NAME = re.compile(r".*?(?:LETTER|SYLLABLE|VOWEL SIGN|CHARACTER) (?:SMALL )?(.+?)(?: WITH .*)?")


def to_latin(text: str) -> str:
    """Write a text in lower case with the letters a to z and digits; the rest stays as it is.

    Letters of an alphabet are spelt, Japanese and Korean syllables by their sound, all others by
    their name in Unicode; Chinese characters, which have none, by their number.
    """
    # Composed, a syllable has a name; decomposed, a letter has no accent.
    return "".join(map(_latin, unicodedata.normalize("NFKC", text.casefold())))


def _latin(character: str) -> str:
    if unicodedata.name(character, "").startswith(("HANGUL", "HIRAGANA", "KATAKANA")):
        return _by_name(character)
    parts = unicodedata.normalize("NFKD", character.casefold())
    return "".join(_SPELT.get(part, part if part.isascii() else _by_name(part)) for part in parts)


def _by_name(character: str) -> str:
    found = _NAME.fullmatch(unicodedata.name(character, ""))
    kind = unicodedata.category(character)
    if kind.startswith("N") and (digit := unicodedata.digit(character, None)) is not None:
        return str(digit)
    if found and (kind.startswith("L") or "VOWEL SIGN" in found[0]):
        return re.sub("[^a-z]", "", found[1].lower())
    return f"_u{ord(character):x}_" if kind == "Lo" else character


def slugify(name: str) -> str:
    """Return `name` in Latin letters, lower case, each run of other characters as one underscore.

    Empty for a name without a letter or digit.
    """
    plain = to_latin(name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
