"""Values from the environment and from secrets, and that no message quotes them."""

import os

import pytest
from pydantic import Field, SecretStr

from ast_edge.base.errors import AstError, ConfigError
from ast_edge.base.yaml_file import InputPath, Section, load_yaml


class Door(Section):
    code: str = Field(default="", max_length=20)
    key: SecretStr | None = None
    height: float = Field(default=2.0, le=3)
    locked: bool = False
    plan: InputPath | None = None
    guests: list[str] = Field(default_factory=list)


class House(Section):
    doors: dict[str, Door] = Field(default_factory=dict)
    street: str = ""


@pytest.fixture
def load(tmp_path):
    def load(text, secrets=None):
        (tmp_path / "house.yaml").write_text(text)
        if secrets is not None:
            (tmp_path / "secrets.yaml").write_text(secrets)
        return load_yaml(tmp_path / "house.yaml", House)

    return load


@pytest.fixture
def problem(load, tmp_path):
    """Return what is wrong with a text, without the folder."""

    def problem(*texts):
        with pytest.raises(ConfigError) as caught:
            load(*texts)
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return problem


def door(value):
    return f"doors:\n  front:\n    {value}\n"


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("code: ${CODE}", "code", "1234"),
        ('code: "${CODE}"', "code", "1234"),
        ("code: '${CODE}'", "code", "1234"),
        ("code: a${CODE}b${CODE}", "code", "a1234b1234"),
        ("code: $${CODE}", "code", "${CODE}"),
        ("code: $CODE", "code", "$CODE"),
        ("code: $$CODE$", "code", "$$CODE$"),
        ('code: "${SWITCH}"', "code", "true"),
        ("code: ${EMPTY}", "code", ""),
        ("code: ${RECURSIVE}", "code", "${CODE}"),
        ("height: ${HEIGHT}", "height", 2.5),
        ("locked: ${SWITCH}", "locked", True),
        ("guests: ['${CODE}', b]", "guests", ["1234", "b"]),
        ("guests:\n    - ${CODE}", "guests", ["1234"]),
    ],
)
def test_a_variable_of_the_environment_stands_for_its_text(load, monkeypatch, line, key, expected):
    variables = {"CODE": "1234", "HEIGHT": "2.5", "SWITCH": "true", "EMPTY": ""}
    for name, value in (variables | {"RECURSIVE": "${CODE}"}).items():
        monkeypatch.setenv(name, value)
    assert getattr(load(door(line)).doors["front"], key) == expected


@pytest.mark.parametrize("line", ["code: ${CODE}", 'code: "a\\uD800"', "code: !secret half"])
def test_what_is_no_text_is_refused_with_its_key(problem, monkeypatch, line):
    monkeypatch.setenv("CODE", os.fsdecode(b"caf\xe9"))  # Latin-1
    found = problem(door(line), 'half: "\\uD800"')
    assert found.startswith("house.yaml: doors.front.code: the ")
    assert "is not UTF-8 text (character" in found


def test_a_key_that_is_no_text_is_refused(problem):
    assert ": a key is not UTF-8 text" in problem('doors: {"\\uD800": {}}')


def test_byte_order_marks_are_no_part_of_either_file(load):
    house = load("\ufeff" + door("code: !secret pin"), "\ufeff" + SECRETS)
    assert house.doors["front"].code == "0123"


def test_a_variable_that_is_not_set_is_said_with_the_key(problem, monkeypatch):
    monkeypatch.delenv("NOBODY", raising=False)
    assert problem(door("code: x${NOBODY}")) == (
        "house.yaml: doors.front.code: the variable NOBODY is not set in the environment: set it, "
        "or write the value here or into secrets.yaml (!secret)"
    )


@pytest.mark.parametrize("text", ["${}", "${NO-NAME}", "${1}", "pass${word", "${A:-b}", "${ A }"])
def test_what_is_no_name_of_a_variable_is_refused_and_not_quoted(problem, text):
    found = problem(door(f"code: '{text}'"))
    assert found.startswith("house.yaml: doors.front.code: expected the name of a variable")
    assert text not in found


@pytest.mark.parametrize("line", ["guests: [${CODE}]", "plan: {a: ${CODE}}"])
def test_braces_within_brackets_are_said_to_need_quotes(problem, monkeypatch, line):
    monkeypatch.setenv("CODE", "1")
    assert 'write "${NAME}" in quotes' in problem(door(line))


def test_a_comment_and_a_key_refer_to_nothing(load):
    assert list(load("# ${NOBODY} !secret nothing\ndoors: {$a: {}}").doors) == ["$a"]


def test_a_message_shows_the_variable_and_not_its_value(problem, monkeypatch):
    monkeypatch.setenv("HEIGHT", "tall")
    found = problem(door("height: ${HEIGHT}"))
    assert found.endswith("unable to parse string as a number, got ${HEIGHT}")
    assert "tall" not in found


SECRETS = """\
pin: 0123
plain: hunter2
long: "a # 'quoted' \\\\ tale with: all sorts"
switch: true
number: 2.25
file: plan.txt
tall: 12345
"""


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("code: !secret pin", "code", "0123"),
        ("code: !secret plain", "code", "hunter2"),
        ("height: !secret number", "height", 2.25),
        ("locked: !secret switch", "locked", True),
        ("guests: [!secret plain, b]", "guests", ["hunter2", "b"]),
    ],
)
def test_a_secret_stands_for_its_text(load, line, key, expected):
    assert getattr(load(door(line), SECRETS).doors["front"], key) == expected


def test_an_alias_of_a_secret_is_the_same_secret(load):
    house = load("street: &a !secret plain\n" + door("code: *a"), SECRETS)
    assert house.street == house.doors["front"].code == "hunter2"


def test_secrets_are_read_only_where_one_is_wanted(load):
    assert load("street: a", "[no: mapping").street == "a"


def test_a_secret_without_its_file_is_said_with_the_key(problem):
    assert problem(door("code: !secret pin")) == (
        "house.yaml: doors.front.code: the file of secrets, secrets.yaml, cannot be read: "
        "No such file or directory"
    )


def test_an_unknown_secret_is_said_with_the_known_names_and_no_value(problem):
    found = problem(door("code: !secret pni"), SECRETS)
    assert found.startswith("house.yaml: doors.front.code: no secret 'pni' in secrets.yaml")
    assert "'pin', 'plain'" in found
    assert "hunter2" not in found


@pytest.mark.parametrize("line", ["code: !secret", "code: !secret [a]", "code: !secret {a: b}"])
def test_a_secret_has_one_name(problem, line):
    assert "expected one name after !secret" in problem(door(line), SECRETS)


@pytest.mark.parametrize(
    "secrets",
    [
        *(
            "pin: *hunter2",
            "pin: !hunter2 x",
            "pin: {hunter2: 1}",
            "pin: [hunter2]",
            "pin: %hunter2",
        ),
        *(
            "pin: hunter2: x",
            "pin:",
            "pin: &hunter2",
            "- hunter2",
            "hunter2",
            "",
            "? [hunter2]\n: x",
        ),
        *('pin: "hunter2', "pin: 'x'hunter2", "pin: x\npin: hunter2", "pin: @hunter2"),
    ],
)
def test_a_damaged_file_of_secrets_is_refused_without_a_word_of_it(problem, secrets):
    found = problem(door("code: !secret pin"), secrets)
    assert found.startswith("secrets.yaml: ")
    assert "hunter2" not in found


def shown_of(error):
    return f"{error} {error!r}"


@pytest.mark.parametrize(
    "line",
    [
        *("height: !secret plain", "height: !secret tall", "plan: !secret plain"),
        *("code: !secret long", "locked: !secret plain", "guests: !secret plain"),
        "guests: [[!secret plain]]",
    ],
)
def test_a_refusal_shows_no_secret(load, line):
    with pytest.raises(ConfigError) as caught:
        load(door(line), SECRETS)
    for value in ("hunter2", "tale", "12345"):
        assert value not in shown_of(caught.value)
    assert "!secret" in str(caught.value)


def test_a_configuration_shows_no_secret(load):
    house = load(door("code: !secret plain") + "street: !secret long", SECRETS)
    for text in (repr(house), str(house), repr(house.doors), f"{house.doors['front']}"):
        assert "hunter2" not in text
        assert "tale" not in text
    assert "code='!secret plain'" in repr(house)


def test_a_later_error_shows_no_secret(load):
    code = load(door("code: !secret plain"), SECRETS).doors["front"].code
    assert shown_of(AstError(f"nobody opens at {code}x")).count("!secret plainx") == 2


def test_a_short_secret_is_hidden_where_it_stands_and_garbles_nothing(load):
    with pytest.raises(ConfigError, match=r"should be a valid number.* got !secret pin$"):
        load(door("height: !secret pin"), "pin: a")
    house = load(door("code: !secret pin"), "pin: a")
    assert "'a'" not in repr(house)
    assert str(AstError("a camera that says nothing")) == "a camera that says nothing"
