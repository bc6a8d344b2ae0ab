import json
from pathlib import Path

import pytest

from ast_edge.app.plan import load_plan
from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.detection.groups import Group
from ast_edge.detection.schedule import find_zone
from ast_edge.model.bundle import load_bundle
from ast_edge.model.label_settings import TrackerSettings

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.fixture
def write(tmp_path, tiny_model):
    def write(**more):
        tree = {"sources": {"a": {"microphone": "x"}}, "bundle": str(tiny_model)} | more
        (tmp_path / "c.yaml").write_text(json.dumps(tree))
        return tmp_path / "c.yaml"

    return write


@pytest.fixture
def problem(write):
    """Return what is wrong with a configuration, without the file's name in front."""

    def problem(**more):
        path = write(**more)
        with pytest.raises(ConfigError) as caught:
            load_plan(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        return message.removeprefix(f"{path}: ")

    return problem


def test_without_labels_all_of_the_bundle_are_reported_as_it_says(write, tiny_model):
    plan = load_plan(write())
    assert plan.hearings["a"].settings == load_bundle(tiny_model).settings
    assert plan.config.sources.keys() == {"a"}


def test_named_labels_are_reported_in_the_order_of_the_bundle(write):
    plan = load_plan(write(labels={"hiss": None, "Hum": {"cooldown": 5}}))
    assert [label.name for label in plan.hearings["a"].settings] == ["Hum", "Hiss"]
    assert list(plan.hearings["a"].settings.values()) == [
        TrackerSettings(hold=0.5, cooldown=5.0),
        TrackerSettings(hold=0.5),
    ]


def test_a_threshold_of_zero_is_a_threshold(write):
    plan = load_plan(write(labels={"Hum": {"off": 0}}))
    assert [settings.off for settings in plan.hearings["a"].settings.values()] == [0.0]


def test_an_unknown_label_is_refused_with_the_nearest_one(problem):
    found = problem(labels={"Hiss!": None, "Hom": None})
    assert found == "labels.Hiss!: 'Hiss!' is not a label of 'bands', did you mean 'Hiss'?"


def test_a_label_under_two_names_is_refused(problem):
    assert problem(labels={"Hum": None, "hum": None}) == "labels.hum: 'Hum' is given twice"


def test_off_above_on_is_refused(problem):
    found = problem(labels={"Hum": {"off": 0.6}})
    assert found == "labels.Hum: expected 0 <= off <= on <= 1, got on 0.5 and off 0.6"


def test_a_hop_that_skips_sound_is_refused(problem):
    assert problem(hop=1.2) == (
        "hop: 1.2 s is longer than the 0.99 s that 'bands' hears at once, so sounds would be "
        "missed; use a shorter one"
    )


@pytest.mark.parametrize("idle_hop", [0.25, 1.2])
def test_an_idle_hop_that_is_shorter_than_the_hop_or_skips_sound_is_refused(problem, idle_hop):
    assert problem(hop=0.5, idle_hop=idle_hop) == (
        f"idle_hop: expected 0.5 s (hop) to the 0.99 s that 'bands' hears at once, got {idle_hop} s"
    )


def test_a_source_has_its_own_hop_idle_hop_and_latency_or_those_of_all(write):
    own = {"hop": 0.25, "idle_hop": 0.75, "latency": 0}
    sources = {"a": {"microphone": "x"}, "b": {"microphone": "y"} | own}
    plan = load_plan(write(hop=0.5, latency=0.8, sources=sources))
    a, b = plan.hearings["a"], plan.hearings["b"]
    assert (a.hop, a.idle_hop, a.latency) == (0.5, None, 0.8)
    assert (b.hop, b.idle_hop, b.latency) == (0.25, 0.75, 0.0)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"hop": 1.2}, "sources.a.hop: 1.2 s is longer than the 0.99 s that 'bands' hears"),
        ({"hop": 0.5, "idle_hop": 0.25}, "sources.a.idle_hop: expected 0.5 s (hop) to the 0.99 s"),
        ({"hop": 0.9}, "sources.a.idle_hop: expected 0.9 s (hop) to the 0.99 s"),
    ],
)
def test_a_hop_of_a_source_that_cannot_be_is_refused_with_the_source(problem, own, said):
    assert problem(hop=0.3, idle_hop=0.6, sources={"a": {"microphone": "x"} | own}).startswith(said)


@pytest.mark.parametrize("host", ["", "my broker", "a..b", "192.168.1.300", "192.168.1", "-a"])
def test_a_broker_that_cannot_be_is_refused(problem, host):
    said = f"mqtt.host: expected a host name or address, got {host!r}, which "
    assert problem(mqtt={"host": host}).startswith(said)


def test_a_device_class_for_an_unknown_label_is_refused_with_the_nearest(problem):
    found = problem(mqtt={"home_assistant": {"device_classes": {"Hom": "safety"}}})
    assert found == (
        "mqtt.home_assistant.device_classes: 'Hom' is not one of the labels that are reported, "
        "did you mean 'Hum'?"
    )


def test_an_unknown_bundle_is_refused(problem):
    assert problem(bundle="hose").startswith("bundle: no bundle 'hose': no such folder")


def test_a_bundle_that_is_damaged_is_the_fault_of_the_bundle(write, model_folder):
    (model_folder / "model.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match="is damaged"):
        load_plan(write(bundle=str(model_folder)))


@pytest.mark.parametrize("place", ["", "none/events.jsonl"])
def test_an_event_file_that_cannot_be_is_refused_before_anything_starts(tmp_path, place):
    path = tmp_path / "c.yaml"
    path.write_text(f"{{sources: {{a: {{stdin: s16le}}}}, jsonl: '{tmp_path / place}'}}")
    with pytest.raises(ConfigError, match="jsonl: expected a file in a folder that exists"):
        load_plan(path)


def test_an_empty_password_file_is_refused_before_anything_starts(tmp_path):
    (tmp_path / "password").touch()
    path = tmp_path / "c.yaml"
    path.write_text("{sources: {a: {stdin: s16le}}, mqtt: {username: a, password_file: password}}")
    with pytest.raises(ConfigError, match="must hold the password in its first line"):
        load_plan(path)


def names(labels):
    return [label.name for label in labels]


def test_with_groups_alone_only_they_are_reported(write):
    assert names(load_plan(write(groups={"Tone": ["Hum", "Hiss"]})).reported) == ["Tone"]


def test_groups_come_after_the_labels(write):
    plan = load_plan(write(groups={"Tone": ["Hum"]}, labels=["Hiss", "Hum"]))
    assert names(plan.hearings["a"].settings) == ["Hum", "Hiss", "Tone"]


def test_a_group_follows_the_users_settings_of_its_members_and_its_own_first(write):
    plan = load_plan(
        write(
            labels={"Hum": {"on": 0.8, "hold": 3}, "Hiss": {"on": 0.9}},
            groups={"Tone": {"members": ["Hum", "Hiss"], "cooldown": 9}},
        )
    )
    *_, (group, settings) = plan.hearings["a"].settings.items()
    assert group.members == plan.hearings["a"].bundle.labels
    assert settings == TrackerSettings(on=0.8, off=0.3, hold=3.0, cooldown=9.0)


def test_a_group_may_have_the_name_of_a_label_that_is_not_reported(write):
    plan = load_plan(write(groups={"Hum": {"members": ["Hum", "Hiss"]}}))
    assert names(plan.hearings["a"].settings) == ["Hum"]


def test_a_group_with_the_topic_of_a_reported_label_is_refused(problem):
    assert problem(groups={"hiss": ["Hum"]}, labels=["Hiss"]) == (
        "groups.hiss: has the same topic as the label 'Hiss', which is reported too; give it "
        "another name, such as 'Any hiss', or remove the label"
    )


def test_an_unknown_member_is_refused_with_the_nearest_label(problem):
    found = problem(groups={"Tone": ["Hom"]})
    assert found == "groups.Tone: 'Hom' is not a label of 'bands', did you mean 'Hum'?"


def test_off_above_on_is_refused_in_a_group(problem):
    found = problem(groups={"Tone": {"members": ["Hum"], "off": 0.6}})
    assert found == "groups.Tone: expected 0 <= off <= on <= 1, got on 0.5 and off 0.6"


def test_a_rule_names_labels_and_groups_reported_or_not(write):
    groups = {"Tone": ["Hum", "Hiss"], "Deep": {"members": ["Hum"], "suppress_while": "hiss"}}
    rules = load_plan(write(groups=groups)).hearings["a"].rules
    assert {label.name: names(rule.suppress_while) for label, rule in rules.items()} == {
        "Deep": ["Hiss"]
    }


def test_a_group_goes_before_a_label_of_its_name(write):
    groups = {"Hum": {"members": ["Hum", "Hiss"], "score": "min"}}
    plan = load_plan(write(groups=groups, labels={"Hiss": {"suppress_while": ["hum"]}}))
    (rule,) = plan.hearings["a"].rules.values()
    assert list(rule.suppress_while) == list(plan.hearings["a"].settings)[-1:]


def test_an_unknown_name_in_a_rule_is_refused_with_the_nearest_one(problem):
    found = problem(groups={"Tone": ["Hum"]}, labels={"Hiss": {"suppress_while": ["Tune"]}})
    assert found == (
        "labels.Hiss.suppress_while: 'Tune' is not a label of 'bands' or a group, "
        "did you mean 'Tone'?"
    )


@pytest.mark.parametrize("other", ["Hum", "Tone"])
def test_a_label_that_could_never_be_reported_is_refused(problem, other):
    found = problem(groups={"Tone": ["Hum", "Hiss"]}, labels={"Hum": {"suppress_while": other}})
    assert found == (
        f"labels.Hum.suppress_while: {other!r} is heard whenever 'Hum' is, so this would never be "
        "reported"
    )


def test_hours_are_of_the_time_zone_that_is_given(write):
    plan = load_plan(write(labels={"Hum": {"active": "22:00-06:00"}}, time_zone="Asia/Tokyo"))
    (rule,) = plan.hearings["a"].rules.values()
    assert [period.text for period in rule.active.periods] == ["22:00-06:00"]
    assert rule.active.zone == find_zone("Asia/Tokyo")


def test_the_shipped_example_of_groups_fits_the_shipped_bundle():
    plan = load_plan(CONFIGS / "groups.yaml")
    members = {g.name: names(g.members) for g in plan.reported if isinstance(g, Group)}
    assert members["Any pet"] == ["Dog", "Cat"]
    assert members["Any alarm"] == ["Siren", "Smoke detector, smoke alarm", "Fire alarm"]
    assert names(plan.hearings["kitchen"].rules) == ["Knock", "Break-in", "Night noise"]


@pytest.fixture
def share(write, other_model):
    """Load a plan whose source "a" has the file's bundle, and "b" the other one."""

    def share(other=other_model, own=None, **more):
        b = {"microphone": "y", "bundle": str(other)} | (own or {})
        return load_plan(write(sources={"a": {"microphone": "x"}, "b": b}, **more))

    return share


def test_a_source_may_have_a_bundle_of_its_own(share):
    plan = share()
    assert [bundle.name for bundle in plan.bundles] == ["bands", "other"]
    assert {source: names(labels) for source, labels in plan.labels.items()} == {
        "a": ["Hum", "Hiss"],
        "b": ["Buzz", "Hum"],
    }
    assert plan.sources_of(plan.bundles[1]) == ["b"]


def test_a_bundle_is_loaded_once_however_it_is_named(share, tiny_model, tmp_path):
    (tmp_path / "link").symlink_to(tiny_model)
    plan = share("./link")
    assert plan.hearings["a"].bundle is plan.hearings["b"].bundle
    assert len(plan.bundles) == 1


def test_a_bundle_that_no_source_uses_is_not_loaded(write, tiny_model):
    source = {"microphone": "x", "bundle": str(tiny_model)}
    plan = load_plan(write(bundle="/none", sources={"a": source}))
    assert [bundle.folder for bundle in plan.bundles] == [tiny_model]


def test_an_unknown_bundle_of_a_source_is_refused_with_the_source(share):
    with pytest.raises(ConfigError, match=r"sources.b.bundle: no bundle 'hose': no such folder"):
        share("hose")


def test_two_bundles_of_one_name_are_refused(share, model_folder):
    with pytest.raises(ConfigError, match=r"sources.b.bundle: .* both hold a bundle 'bands'"):
        share(model_folder)


def test_hops_are_judged_by_the_window_of_the_bundle_of_the_source(share):
    said = "sources.b.hop: 1.2 s is longer than the 0.99 s that 'other' hears at once"
    with pytest.raises(ConfigError, match=said):
        share(own={"hop": 1.2})


def test_settings_are_of_the_label_as_each_bundle_has_it(share):
    plan = share(labels={"Hum": {"on": 0.75}, "Buzz": None})
    for source, column in (("a", 0), ("b", 1)):
        settings = {label.name: one for label, one in plan.hearings[source].settings.items()}
        (hum,) = [x for x in plan.labels[source] if x.name == "Hum"]
        assert (hum.index, settings["Hum"].on) == (column, 0.75)
    assert plan.lacking == {"bands": ("Buzz",), "other": ()}


@pytest.mark.parametrize("key", ["clips", "mqtt"])
def test_a_label_of_one_bundle_is_enough_for_clips_and_device_classes(share, tmp_path, key):
    sections = {
        "clips": {"folder": str(tmp_path / "clips"), "labels": ["Buzz", "Hiss"]},
        "mqtt": {"home_assistant": {"device_classes": {"Buzz": "safety", "Hiss": "safety"}}},
    }
    assert share(**{key: sections[key]})


def test_sources_with_other_bundles_are_listened_to_in_different_ways(share):
    plan = share()
    with pytest.raises(ConfigError, match="choose one by --source a or b"):
        plan.hearing_of(None)
    assert plan.hearing_of("b").bundle.name == "other"
