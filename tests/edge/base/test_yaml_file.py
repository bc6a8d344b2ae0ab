"""Reading YAML: what the files of every part have in common, on a small tree of its own."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from ast_edge.base.errors import ConfigError
from ast_edge.base.yaml_file import InputPath, OutputPath, Section, did_you_mean, load_yaml


class Wheel(Section):
    size: int = 26
    tube: InputPath | None = None


class Bike(Section):
    name: str
    weight: float = Field(default=10.0, ge=0)
    light: bool = False
    wheels: dict[str, Wheel | None] = Field(default_factory=dict)
    spare: Wheel = Wheel()
    log: OutputPath | None = None


@pytest.fixture
def load(tmp_path):
    def load(text):
        (tmp_path / "bike.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_yaml(tmp_path / "bike.yaml", Bike)

    return load


@pytest.fixture
def problem(load, tmp_path):
    """Return what is wrong with a text, without the file's name in front."""

    def problem(text):
        with pytest.raises(ConfigError) as caught:
            load(text)
        message = str(caught.value)
        assert "\n" not in message
        return message.removeprefix(f"{tmp_path / 'bike.yaml'}: ")

    return problem


def test_what_is_not_given_has_its_default(load):
    bike = load("name: city")
    assert (bike.weight, bike.spare.size, bike.wheels) == (10.0, 26, {})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_key(load, encoding):
    assert load("name: Küche".encode(encoding)).name == "Küche"


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "y", "On", "NO", "True"])
def test_only_true_and_false_are_no_words(load, word):
    assert load(f"name: {word}").name == word


@pytest.mark.parametrize(
    "text",
    [
        *("12:30", "1:20:30", "12:30.5", "-1:00", "::1", "00:00-06:00"),
        *("0123", "007", "1_000", "0b11", "0x1F", "0o17", "1e3", "2026-01-01", "2026-99-99"),
        *("2026-01-01 12:30:00", "=", "1.2.3", "+49 40 1", "NaN", "nul"),
    ],
)
def test_what_is_no_plain_number_is_text_as_it_stands(load, text):
    assert load(f"name: {text}").name == text


@pytest.mark.parametrize(
    ("text", "weight"),
    [("3", 3), ("-0.0", 0), ("1e1", 10), ("1_0", 10), ("+2.5e+1", 25), (".5", 0.5)],
)
def test_any_spelling_of_a_number_is_one_where_a_number_is_wanted(load, text, weight):
    assert load(f"{{name: a, weight: {text}}}").weight == weight


@pytest.mark.parametrize("key", ["1", "12:30", "true", "null", "1.50", "2026-01-01", "0123"])
def test_a_key_is_text_as_it_stands(load, key):
    assert list(load(f"name: a\nwheels:\n  {key}: {{size: 20}}").wheels) == [key]


def test_merged_keys_are_taken_from_an_anchor(load):
    bike = load("name: a\nwheels:\n  rear: &rear {size: 20}\n  front: {<<: *rear}")
    assert bike.wheels["front"].size == 20


def test_true_and_false_are_booleans(load):
    assert load("{name: a, light: true}").light is True
    assert load("{name: a, light: false}").light is False


def test_paths_are_relative_to_the_file(load, tmp_path):
    (tmp_path / "tube.txt").touch()
    bike = load("{name: a, spare: {tube: tube.txt}, log: sub/ride.log}")
    assert bike.spare.tube == tmp_path / "tube.txt"
    assert bike.log == tmp_path / "sub" / "ride.log"


def test_absolute_paths_stay_as_they_are(load, tmp_path):
    assert load(f"{{name: a, log: {tmp_path}/x.log}}").log == tmp_path / "x.log"


def test_a_tilde_is_the_home_directory(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load("{name: a, log: ~/x.log}").log == tmp_path / "home" / "x.log"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("naem: a", "naem: unknown key, did you mean 'name'?"),
        ("{name: a, weels: 2}", "weels: unknown key, did you mean 'wheels'?"),
        (
            "{name: a, qqqq: 2}",
            "qqqq: unknown key; known are 'name', 'weight', 'light', 'wheels', 'spare', 'log'",
        ),
        ("{name: a, spare: {sise: 1}}", "spare.sise: unknown key, did you mean 'size'?"),
        ("{name: a, wheels: {rear: {Sizes: 1}}}", None),
        ("{name: a, 7: 1}", None),
        ("{weight: 1}", "name: Field required"),
        (
            "{name: a, weight: heavy}",
            "weight: should be a valid number, unable to parse string as a number, got 'heavy'",
        ),
        ("{name: a, weight: .nan}", "weight: should be a finite number, got nan"),
        ("{name: a, weight: .inf}", "weight: should be a finite number, got inf"),
        ("{name: a, weight: -1}", "weight: should be greater than or equal to 0, got -1"),
        ("{name: 12}", 'name: should be a valid string, got 12; write name: "12"'),
        ("{name: 1.50}", "name: should be a valid string, got 1.5; write it in quotes"),
        ("{name: true}", 'name: should be a valid string, got True; write name: "true"'),
        ("{name: [a]}", "name: should be a valid string, got ['a']"),
        ("{name: a, log: 7}", 'log: is not a valid path, got 7; write log: "7"'),
        (
            "{name: a, spare: {size: 26.5}}",
            "spare.size: should be a valid integer, got a number with a fractional part, got 26.5",
        ),
        ("{name: a, spare: [1]}", None),
        ("{name: a, wheels: 3}", None),
        ("{name: a, log: ~nobody.at.all/x}", "log: no such home directory: ~nobody.at.all/x"),
        ("", "expected a mapping with name, got None"),
        ("# nothing", "expected a mapping with name, got None"),
        ("- a", "expected a mapping with name, got ['a']"),
        ("just words", "expected a mapping with name, got 'just words'"),
        ("name: a\nname: b", "is not YAML: line 2, column 1: the key 'name' is given twice"),
        (
            "name: a\nwheels:\n  rear: {}\n  rear: {}",
            "is not YAML: line 4, column 3: the key 'rear' is given twice",
        ),
        ("name: [a", None),
        ("name: a: b", "is not YAML: line 1, column 8: mapping values are not allowed here"),
        ("name:\n\t- a", None),
        ("name: !!python/object/apply:os.getcwd []", None),
        ("{[1, 2]: 3}", None),
        ("? {a: 1}\n: 2", None),
        ("name: *nowhere", None),
        (b"\xe4", "is not UTF-8 text (byte 0)"),
        (b"name: a\0", None),
        ("name: " + "[" * 20_000, "is nested too deeply"),
    ],
)
def test_every_problem_is_one_line_that_says_where_and_what(problem, text, expected):
    found = problem(text)
    assert found
    assert expected is None or found == expected


def test_the_nearest_key_of_a_named_section_is_found(problem):
    found = problem("{name: a, wheels: {rear: {Sizes: 1}}}")
    assert found == "wheels.rear.Sizes: unknown key, did you mean 'size'?"


def test_an_unknown_key_is_said_before_what_it_leaves_missing(problem):
    assert problem("{nam: a}") == "nam: unknown key, did you mean 'name'?"


def test_a_file_that_is_missing_is_named(problem, tmp_path):
    found = problem("{name: a, spare: {tube: tube.txt}}")
    assert found == f"spare.tube: no such file: {tmp_path / 'tube.txt'}"


@pytest.mark.parametrize("name", ["x" * 300, '"a\\0b"', "."])
def test_a_file_that_cannot_be_is_refused(problem, name):
    assert problem(f"{{name: a, spare: {{tube: {name}}}}}").startswith("spare.tube: ")


def test_a_configuration_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match=r"a\.yaml: cannot be read: No such file or directory"):
        load_yaml(tmp_path / "a.yaml", Bike)


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_yaml(tmp_path, Bike)


def test_a_loaded_tree_does_not_change(load):
    with pytest.raises(ValueError, match="frozen"):
        load("name: a").name = "b"


TEXT = "name: a\nweight: 3.5\nwheels: {rear: {size: 20}, front: ~}\nspare:\n  size: 12\n"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=200,
)
@given(cut=st.integers(0, len(TEXT)), put=st.text(max_size=6), skip=st.integers(0, 6))
def test_any_other_text_anywhere_loads_or_is_refused(load, cut, put, skip):
    try:
        bike = load((TEXT[:cut] + put + TEXT[cut + skip :]).encode("utf-8", "surrogatepass"))
    except ConfigError:
        return
    assert isinstance(bike, Bike)


def test_the_nearest_word_is_found_whatever_its_case():
    assert did_you_mean("CITY", ["city", "race"]) == ", did you mean 'city'?"


def test_with_nothing_near_all_that_is_known_is_listed():
    assert did_you_mean("zzz", ["city", "race"]) == "; known are 'city', 'race'"
    assert did_you_mean("zzz", []) == ""


def test_a_few_aliases_that_make_a_value_without_end_are_refused_at_once(load):
    levels = [f"&l{n} [{', '.join([f'*l{n - 1}'] * 9) if n else 'x'}]" for n in range(30)]
    with pytest.raises(ConfigError, match=r"name: should be a valid string, got \[\[") as caught:
        load(f"name: [{', '.join(levels)}]")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "value", ["!!timestamp 2026-99-99", "!!int x", "!!bool x", "!!binary é", "9" * 5000]
)
def test_a_value_that_is_not_what_it_claims_is_refused(load, value):
    with pytest.raises(
        ConfigError, match=r"bike\.yaml: (holds a value that cannot be|is not YAML)"
    ):
        load(f"name: {value}")
