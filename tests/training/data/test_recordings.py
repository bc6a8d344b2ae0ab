import json
from collections import Counter
from dataclasses import replace

import pytest
from rigs.training.clip_lists import write_noise
from rigs.training.clips import tones
from rigs.training.packs import Pack, make_recipe

from ast_edge.base.errors import ConfigError
from ast_training.data.recordings import read_recordings
from ast_training.datasets.own import read_csv, read_folder
from ast_training.datasets.prepare import prepare


@pytest.fixture
def pack(tmp_path):
    return Pack(tmp_path / "pack")


def read(pack, **settings):
    settings = {"labels": {"whistle": "Whistle", "hum": "Hum"}} | settings
    return read_recordings(make_recipe({"one": pack.config(**settings)}).pack_set)


def names(recordings):
    return [recording.path.name for recording in recordings]


def validating(recordings):
    return {recording.path.name for recording in recordings if recording.split == "validation"}


# Labels


def test_labels_of_a_pack_become_columns_of_the_model(pack):
    pack.add("a.wav", "whistle")
    pack.add("b.wav", "hum")
    assert [r.targets for r in read(pack)] == [(0,), (1,)]


def test_a_label_that_is_not_mapped_is_an_example_of_none(pack):
    pack.add("a.wav", "rustle")
    assert [r.targets for r in read(pack)] == [()]


def test_a_star_maps_every_label_that_is_not_named(pack):
    pack.add("a.wav", "rustle")
    pack.add("b.wav", "hum")
    assert [r.targets for r in read(pack, labels={"*": "Whistle", "hum": "Hum"})] == [(0,), (1,)]


def test_null_leaves_recordings_out(pack):
    pack.add("a.wav", "whistle")
    pack.add("b.wav", "hum")
    assert names(read(pack, labels={"whistle": None, "hum": "Hum"})) == ["b.wav"]


def test_rows_whose_column_contains_the_text_are_skipped(pack):
    pack.add("a.wav", "hum", licence="CC BY 3.0")
    pack.add("b.wav", "hum", licence="(none stated)")
    assert names(read(pack, skip={"licence": "none stated"})) == ["a.wav"]


def test_a_table_without_a_named_column_is_refused(pack):
    pack.add("a.wav", "hum")
    with pytest.raises(ConfigError, match=r"packs\.one: .*table\.csv: expected a column .speaker."):
        read(pack, group="speaker")


def test_a_row_that_is_cut_short_counts_as_one_with_empty_columns(pack, tmp_path):
    pack.add("a.wav", "hum", licence="CC0")
    recipe = make_recipe({"one": pack.config(labels={"hum": "Hum"}, skip={"licence": "none"})})
    with (tmp_path / "pack" / "table.csv").open("a") as table:
        table.write("b.wav\n")
    assert [(r.path.name, r.targets) for r in read_recordings(recipe.pack_set)] == [
        ("a.wav", (1,)),
        ("b.wav", ()),
    ]


def test_what_stands_between_separators_are_several_labels(pack):
    pack.add("a.wav", "whistle;hum")
    assert [r.targets for r in read(pack, separator=";")] == [(0, 1)]


# AudioSet's names

PETS = {"Dog": "/m/0bt9lr", "Bark": "/m/05tny_", "Howl": "/m/07qf0zm", "Speech": "/m/09x0r"}


def pets(pack, **settings):
    recipe = make_recipe({"one": pack.config(audioset=True, **settings)}, labels=PETS)
    return read_recordings(recipe.pack_set)


def test_a_kind_of_a_sound_counts_for_it(pack):
    pack.add("a.wav", "Bark")
    pack.add("b.wav", "Yip")
    pack.add("c.wav", "Female speech, woman speaking")
    assert [r.targets for r in pets(pack)] == [(0, 1), (0,), (3,)]


def test_the_kinds_of_what_is_named_are_open(pack):
    pack.add("a.wav", "Dog")
    pack.add("b.wav", "Bark")
    assert [r.open for r in pets(pack)] == [(1, 2), ()]


def test_what_may_sound_in_a_pack_is_open(pack):
    pack.add("a.wav", "Bark")
    pack.add("b.wav", "Speech")
    assert [r.open for r in pets(pack, may=["Speech"])] == [(3,), ()]


def test_a_label_that_audioset_does_not_have_is_an_example_of_none(pack):
    pack.add("a.wav", "Lip popping")
    assert [r.targets for r in pets(pack)] == [()]


def test_a_pack_may_map_to_any_name_of_audioset(pack):
    pack.add("a.wav", "woof")
    recipe = make_recipe({"one": pack.config(labels={"woof": "Bark"})}, labels={"Dog": "/m/0bt9lr"})
    assert [r.targets for r in read_recordings(recipe.pack_set)] == [(0,)]


# The split


def add_takes(pack, sources=8, takes=3, label="hum"):
    for source in range(sources):
        for take in range(takes):
            pack.add(f"{source}-{take}.wav", label, source=f"s{source}")


def test_a_source_is_never_split(pack):
    add_takes(pack)
    recordings = read(pack, group="source", validation_share=0.25)
    train = {r.group for r in recordings if r.split == "train"}
    assert train
    assert not train & {r.group for r in recordings if r.split == "validation"}


def test_a_pattern_finds_the_source_in_a_column(pack):
    for phone in range(4):
        for take in range(3):
            pack.add(f"phone{phone}-take{take}.wav", "hum")
    recordings = read(pack, group="filename", group_pattern="phone[0-9]", validation_share=0.25)
    assert {r.group for r in recordings} == {f"one:phone{n}" for n in range(4)}


@pytest.mark.parametrize("suffix", ["wav", "WAV", "mp3"])
def test_takes_that_differ_in_a_trailing_number_are_one_source(pack, suffix):
    pack.add(f"door_1.{suffix}", "hum")
    pack.add(f"door_12.{suffix}", "hum")
    pack.add(f"gate_1.{suffix}", "hum")
    assert [r.group for r in read(pack)] == ["one:door", "one:door", "one:gate"]


def test_rows_with_a_value_in_a_column_validate(pack):
    for fold in "123":
        pack.add(f"a{fold}.wav", "hum", fold=fold, source=fold)
    recordings = read(pack, validation={"fold": [3]}, group="source")
    assert validating(recordings) == {"a3.wav"}


def test_a_source_that_validates_in_one_pack_trains_in_none(tmp_path):
    first, second = Pack(tmp_path / "first"), Pack(tmp_path / "second")
    first.add("a.wav", "hum", id="77", fold="1")
    first.add("b.wav", "hum", id="78", fold="2")
    second.add("c.wav", "hum", id="77")
    second.add("d.wav", "hum", id="79")
    common = {"labels": {"hum": "Hum"}, "group": "id", "group_prefix": "freesound"}
    recipe = make_recipe(
        {
            "first": first.config(**common, validation={"fold": [1]}),
            "second": second.config(**common),
        }
    )
    recordings = read_recordings(recipe.pack_set)
    assert validating(recordings) == {"a.wav"}
    assert names(r for r in recordings if r.split == "train") == ["b.wav", "d.wav"]


def test_packs_without_a_common_prefix_do_not_share_sources(tmp_path):
    first, second = Pack(tmp_path / "first"), Pack(tmp_path / "second")
    first.add("a.wav", "hum", id="77", fold="1")
    second.add("c.wav", "hum", id="77")
    recipe = make_recipe(
        {
            "first": first.config(group="id", validation={"fold": [1]}),
            "second": second.config(group="id"),
        }
    )
    assert names(r for r in read_recordings(recipe.pack_set) if r.split == "train") == ["c.wav"]


def test_the_split_does_not_depend_on_the_order_of_the_rows(pack):
    add_takes(pack)
    before = validating(read(pack, group="source", validation_share=0.25))
    pack.rows.reverse()
    assert validating(read(pack, group="source", validation_share=0.25)) == before


def test_the_split_is_the_same_on_every_machine(pack):
    add_takes(pack, takes=1)  # by a hash of the name that no interpreter salts
    recordings = read(pack, group="source", validation_share=0.25)
    assert validating(recordings) == {"0-0.wav", "4-0.wav"}


def test_a_share_is_for_testing_and_another_for_validation(pack):
    for source in range(400):
        pack.add(f"{source}.wav", "hum", source=f"s{source}")
    recordings = read(pack, group="source", validation_share=0.25, test_share=0.125)
    splits = Counter(recording.split for recording in recordings)
    # Four standard deviations of a fair draw.
    assert splits["test"] == pytest.approx(50, abs=26)
    assert splits["validation"] == pytest.approx(100, abs=35)


def test_a_pack_that_grows_moves_no_source(pack):
    add_takes(pack, sources=40, takes=1)
    shares = {"group": "source", "validation_share": 0.2, "test_share": 0.2}
    before = {r.group: r.split for r in read(pack, **shares)}
    add_takes(pack, sources=90, takes=1, label="whistle")
    after = {r.group: r.split for r in read(pack, **shares)}
    assert len(after) == 90
    assert {group: after[group] for group in before} == before


def test_what_may_not_train_is_held_out(pack):
    for source in range(40):
        pack.add(f"{source}.wav", "hum", source=f"s{source}", licence="(none stated)")
    splits = Counter(r.split for r in read(pack, group="source", hold_out={"licence": "stated"}))
    assert splits["train"] == 0
    assert min(splits["validation"], splits["test"]) >= 8


def test_only_what_has_the_terms_of_the_recipe_trains(pack):
    pack.add("a.wav", "hum", licence="CC0")
    pack.add("b.wav", "hum", licence="CC BY-NC 3.0")
    recipe = make_recipe({"one": pack.config(labels={"hum": "Hum"})}, terms="CC0|CC BY$")
    assert names(read_recordings(recipe.pack_set)) == ["a.wav"]


def test_terms_may_stand_in_a_table_of_their_own(pack, tmp_path):
    pack.add("a.wav", "hum")
    pack.add("b.wav", "hum")
    (tmp_path / "terms.csv").write_text("filename,licence\na.wav,CC-BY-NC\nb.wav,CC0\n")
    config = pack.config(labels={"hum": "Hum"}, terms_table=str(tmp_path / "terms.csv"))
    assert names(read_recordings(make_recipe({"one": config}, terms="CC0").pack_set)) == ["b.wav"]


def test_an_upload_to_freesound_is_one_source_in_all_packs(tmp_path):
    first, second = Pack(tmp_path / "first"), Pack(tmp_path / "second")
    first.add("a.wav", "hum", id="freesound:77 fold 2")
    second.add("b.wav", "hum", id="77")
    recipe = make_recipe(
        {
            "first": first.config(group="id"),
            "second": second.config(group="id", group_prefix="freesound"),
        }
    )
    assert {r.group for r in read_recordings(recipe.pack_set)} == {"freesound:77"}


def test_what_one_pack_tests_on_no_other_uses(tmp_path):
    first, second = Pack(tmp_path / "first"), Pack(tmp_path / "second")
    for pack in (first, second):
        pack.add("a.wav", "hum", id="1")
    common = {"group": "id", "group_prefix": "site", "labels": {"hum": "Hum"}}
    packs = {
        "first": first.config(**common, validation_share=1.0),
        "second": second.config(**common, test_share=1.0),
    }
    (recording,) = read_recordings(make_recipe(packs).pack_set)
    assert (recording.pack, recording.split) == ("second", "test")


# Prepared sets


def read_set(folder, terms="", **settings):
    settings = {"labels": {"Whistle": "Whistle", "Hum": "Hum"}} | settings
    recipe = make_recipe({"one": {"prepared": str(folder), **settings}}, terms=terms)
    return read_recordings(recipe.pack_set)


def test_a_prepared_set_is_a_pack_with_its_own_splits(tmp_path):
    found = read_set(tones(tmp_path))
    assert Counter(one.split for one in found) == {"train": 9, "validation": 5}
    assert [one.targets for one in found[:3]] == [(0,), (1,), (0,)]
    assert all(one.path.is_file() and one.role == "events" for one in found)


def test_a_prepared_set_may_have_any_role_and_labels(tmp_path):
    found = read_set(tones(tmp_path), role="background", labels={"Hum": None, "*": "Whistle"})
    assert {(one.role, one.targets) for one in found} == {("background", (0,))}


def test_labels_of_a_prepared_set_may_be_those_of_the_recipe(tmp_path):
    assert {one.targets for one in read_set(tones(tmp_path), labels={}, audioset=True)} == {
        (0,),
        (1,),
    }


def test_of_a_prepared_set_without_the_terms_nothing_trains(tmp_path):
    found = read_set(tones(tmp_path), licence="CC BY-NC", terms="CC0")
    assert {one.split for one in found} == {"validation"}


def test_takes_of_a_prepared_set_are_of_one_source_or_of_that_in_their_names(tmp_path):
    folder = own_set(tmp_path)
    assert {one.group for one in read_set(folder)} == {"one:Hum/a 77 take", "one:Hum/b"}
    by_number = read_set(folder, group_pattern="[0-9]{2}|b", group_prefix="freesound")
    assert {one.group for one in by_number} == {"freesound:77", "freesound:b"}


def test_a_prepared_set_says_what_is_of_one_source(tmp_path):
    rows = {"a1.wav": "ann", "a2.wav": "bob", "x.wav": "ann"}
    for number, name in enumerate(rows):
        write_noise(tmp_path / name, number)
    lines = [f"{name},Hum,train,{group}" for name, group in rows.items()]
    table = tmp_path / "own.csv"
    table.write_text("\n".join(["filename,label,split,speaker", *lines]))
    folder = prepare(read_csv(table, group="speaker"), tmp_path / "set", jobs=1).folder
    assert [one.group for one in read_set(folder)] == ["one:ann", "one:bob", "one:ann"]


def test_an_upload_is_the_same_source_in_every_prepared_set(tmp_path):
    folder = own_set(tmp_path, group="freesound: 77")
    assert {one.group for one in read_set(folder, group_prefix="mine")} == {"freesound:77"}


def test_a_set_that_was_prepared_before_sources_were_written_still_reads(tmp_path):
    folder = own_set(tmp_path)
    listed = folder / "clips.jsonl"
    rows = [json.loads(line) for line in listed.read_text().splitlines()]
    assert all(row.pop("group") for row in rows)
    listed.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert {one.group for one in read_set(folder)} == {"one:Hum/a 77 take", "one:Hum/b"}


def own_set(tmp_path, **changes):
    for name in ("a 77 take 1", "a 77 take 2", "b"):
        (tmp_path / "own" / "Hum").mkdir(parents=True, exist_ok=True)
        write_noise(tmp_path / "own" / "Hum" / f"{name}.wav", 0)
    found = read_folder(tmp_path / "own")
    clips = [replace(clip, **changes) for clip in found.clips]
    return prepare(replace(found, clips=clips), tmp_path / "set", jobs=1).folder


def test_a_pack_that_was_not_prepared_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="run ast-train prepare"):
        read_set(tmp_path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "expected table, or prepared"),
        ({"prepared": "set", "test_share": 0.5}, "test_share: is of a table"),
        ({"prepared": "set", "audio": "files"}, "audio: is of a table"),
    ],
)
def test_a_pack_is_a_table_or_a_prepared_set(settings, words):
    with pytest.raises(ValueError, match=words):
        make_recipe({"one": settings})


def test_a_table_may_say_what_else_may_sound_in_single_recordings(pack, tmp_path):
    pack.add("a.wav", "whistle")
    pack.add("b.wav", "whistle")
    (tmp_path / "heard.csv").write_text("pack,filename,may\none,a.wav,Hum\ntwo,b.wav,Hum\n")
    found = read(pack, may_table=str(tmp_path / "heard.csv"))
    assert [r.open for r in found] == [(1,), ()]


def test_such_a_table_without_its_columns_is_refused(pack, tmp_path):
    pack.add("a.wav", "whistle")
    (tmp_path / "heard.csv").write_text("filename,may\na.wav,Hum\n")
    with pytest.raises(ConfigError, match=r"heard\.csv: expected a column 'pack'"):
        read(pack, may_table=str(tmp_path / "heard.csv"))
