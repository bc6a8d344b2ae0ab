import argparse
import io
import tarfile

import pytest
from rigs.reviews import clip_of, said, write_reviews
from rigs.training.clip_lists import write_noise

from ast_edge.base.errors import ConfigError
from ast_training.cli import prepare
from ast_training.data.clips import ClipSet
from ast_training.recipe.recipe import load_recipe


def run(*argv):
    parser = argparse.ArgumentParser()
    prepare.add_parser(parser.add_subparsers())
    args = parser.parse_args(["prepare", *map(str, argv), "--jobs", "1"])
    return args.command(args)


@pytest.fixture
def sounds(tmp_path):
    for label in ("beep", "hum"):
        for take in range(4):
            write_noise(tmp_path / "sounds" / label / f"{take}.wav", take)
    return tmp_path / "sounds"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "set"


def test_prepares_a_folder(sounds, out):
    assert run("folder", sounds, "--out", out) == 0
    assert len(ClipSet.open(out)) == 8


def test_prints_what_is_in_the_set(sounds, out, capsys):
    (sounds / "hum" / "bad.wav").write_text("")
    run("folder", sounds, "--out", out)
    clips = ClipSet.open(out)
    train = len(clips.select(["train"]))
    assert capsys.readouterr().out.splitlines() == [
        f"{out}: sounds, 2 labels, 0.00 hours",
        f"clips    train {train}, validation {8 - train}",
        f"fbanks   mean {clips.mean:.4f}, std {clips.std:.4f} (of train)",
        "labels   1 without a clip to validate: hum",  # bad.wav was to
        "         (of one source, by their names? a table and --group say better)",
        "skipped  1",
        f"  {sounds}/hum/bad.wav: is empty or cut short",
        f"recipe   {out}/recipe.yaml, to start from",
    ]


def test_prints_ten_reasons_and_where_the_others_are(sounds, out, capsys):
    for number in range(12):
        (sounds / "hum" / f"bad{number}.wav").write_text("")
    run("folder", sounds, "--out", out)
    printed = capsys.readouterr().out
    assert f"skipped  12 (all in {out}/skipped.txt)" in printed
    assert printed.count("is empty") == 10
    assert (out / "skipped.txt").read_text().count("is empty") == 12


def test_names_labels_without_a_clip(sounds, out, tmp_path, capsys):
    (tmp_path / "labels.txt").write_text("hum\nbeep\nbuzz\n")
    run("folder", sounds, "--out", out, "--labels", tmp_path / "labels.txt")
    assert "labels   1 without a clip to train on: buzz" in capsys.readouterr().out


def test_labels_of_any_script_make_a_recipe_whose_labels_have_topics(out, tmp_path):
    for label in ("Собака", "狗", "いぬ", "Türklingel"):
        for take in range(3):
            write_noise(tmp_path / "sounds" / label / f"{take}.wav", take)
    run("folder", tmp_path / "sounds", "--out", out)
    labels = load_recipe(out / "recipe.yaml").label_set
    assert [label.slug for label in labels] == ["turklingel", "sobaka", "inu", "u72d7"]


def test_a_label_without_a_letter_is_refused_before_any_work(sounds, out):
    write_noise(sounds / "🐶" / "1.wav", 0)
    with pytest.raises(ConfigError, match="no topic name can be made of the label '🐶'; rename it"):
        run("folder", sounds, "--out", out)
    assert not out.exists()


def test_names_labels_that_nothing_validates(sounds, out, capsys):
    for take in range(3):
        write_noise(sounds / "buzz" / f"one_{take}.wav", take)
    run("folder", sounds, "--out", out)
    printed = capsys.readouterr().out
    assert "labels   1 without a clip to validate: buzz\n" in printed


def test_prepares_a_table(sounds, out, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("filename,label,who\nbeep/0.wav,b,1\nhum/0.wav,h,2\nhum/1.wav,h,3\n")
    run("csv", table, "--audio", sounds, "--group", "who", "--out", out)
    assert {clip.path for clip in ClipSet.open(out)} == {
        sounds / "beep" / "0.wav",
        sounds / "hum" / "0.wav",
        sounds / "hum" / "1.wav",
    }


def test_prepares_shards(sounds, out, tmp_path):
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "train.tar", "w") as tar:
        tar.add(sounds / "hum" / "0.wav", "x.wav")
        label = tarfile.TarInfo("x.txt")
        label.size = 3
        tar.addfile(label, io.BytesIO(b"hum"))
    run("shards", tmp_path / "shards", "--out", out, "--cache-features")
    clips = ClipSet.open(out)
    assert clips[0].size == (sounds / "hum" / "0.wav").stat().st_size
    assert clips.cache is not None


def test_prepares_speech_commands(out, tmp_path):
    for take in range(20):
        write_noise(tmp_path / "words" / "left" / f"{take:08x}_nohash_0.wav", take)
    run("speechcommands", tmp_path / "words", "--words", "left", "--out", out, "--copy")
    clips = ClipSet.open(out)
    assert [label.name for label in clips.labels] == ["left"]
    assert clips[0].path.is_relative_to(out / "audio")


def test_prepares_esc50(out, tmp_path):
    (tmp_path / "esc" / "meta").mkdir(parents=True)
    (tmp_path / "esc" / "meta" / "esc50.csv").write_text(
        "filename,fold,target,category,esc10\na.wav,2,0,dog,True\nb.wav,3,2,pig,False\n"
    )
    for name in ("a", "b"):
        write_noise(tmp_path / "esc" / "audio" / f"{name}.wav", 0)
    run("esc50", tmp_path / "esc", "--esc10", "--out", out)
    assert [clip.fold for clip in ClipSet.open(out)] == [2]


def test_prepares_fsd50k_with_a_recipe(out, tmp_path):
    root = tmp_path / "fsd50k"
    (root / "FSD50K.ground_truth").mkdir(parents=True)
    (root / "FSD50K.ground_truth" / "vocabulary.csv").write_text("0,Bark,/m/05tny_\n")
    (root / "FSD50K.ground_truth" / "dev.csv").write_text(
        "fname,labels,mids,split\n1,Bark,/m/05tny_,train\n2,Bark,/m/05tny_,val\n"
    )
    for name in ("1", "2"):
        write_noise(root / "FSD50K.dev_audio" / f"{name}.wav", 0, rate=44_100)
    run("fsd50k", root, "--out", out)
    assert [clip.split for clip in ClipSet.open(out)] == ["train", "validation"]
    assert load_recipe(out / "recipe.yaml").labels == {"Bark": "/m/05tny_"}


def test_prepares_urbansound8k_with_a_recipe(out, tmp_path):
    root = tmp_path / "urban"
    (root / "metadata").mkdir(parents=True)
    (root / "metadata" / "UrbanSound8K.csv").write_text(
        "slice_file_name,fold,class\na.wav,1,siren\nb.wav,10,dog_bark\n"
    )
    write_noise(root / "audio" / "fold1" / "a.wav", 0, channels=2)
    write_noise(root / "audio" / "fold10" / "b.wav", 0, rate=48_000)
    run("urbansound8k", root, "--out", out)
    assert [clip.fold for clip in ClipSet.open(out)] == [1, 10]
    assert load_recipe(out / "recipe.yaml").data.fold == 1


@pytest.mark.parametrize(("options", "train"), [(["--balanced"], 1), (["--full"], 2), ([], 2)])
def test_prepares_audioset(out, tmp_path, options, train):
    root = tmp_path / "audioset"
    ids = {
        "balanced_train": "aaaaaaaaaaa",
        "unbalanced_train": "bbbbbbbbbbb",
        "eval": "ccccccccccc",
    }
    for name, id in ids.items():
        write_noise(root / f"{id}.wav", 0)
        (root / f"{name}_segments.csv").write_text(f'{id}, 30.000, 40.000, "/m/09x0r"\n')
    run("audioset", root, *options, "--out", out)
    clips = ClipSet.open(out)
    assert (len(clips.select(["train"])), len(clips.select(["test"]))) == (train, 1)


def test_prepares_the_authors_lists(out, tmp_path):
    write_noise(tmp_path / "a.wav", 0)
    write_noise(tmp_path / "b.wav", 1)
    for name in "ab":
        text = f'{{"data": [{{"wav": "{name}.wav", "labels": "/m/09x0r"}}]}}'
        (tmp_path / f"{name}.json").write_text(text)
    run("audioset", tmp_path / "a.json", "--test", tmp_path / "b.json", "--out", out)
    assert [clip.split for clip in ClipSet.open(out)] == ["train", "test"]


def test_nothing_to_prepare_is_an_error(tmp_path, out):
    with pytest.raises(ConfigError, match="no such folder"):
        run("folder", tmp_path / "none", "--out", out)


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_jobs_are_a_number_from_one(tmp_path, out, jobs, capsys):
    parser = argparse.ArgumentParser()
    prepare.add_parser(parser.add_subparsers())
    with pytest.raises(SystemExit):
        parser.parse_args(["prepare", "folder", ".", "--out", str(out), f"--jobs={jobs}"])
    assert "expected a number from 1" in capsys.readouterr().err


def test_prepares_what_was_reviewed(tmp_path, out, capsys):
    lines = []
    for number in range(6):
        clip = clip_of(tmp_path, number)
        write_noise(clip, number)
        onset = f"2026-11-{number + 1:02}T10:00:00.000Z"
        lines.append(said(number, clip=str(clip), onset=onset))
    lines.append(said(9))
    assert run("reviews", write_reviews(tmp_path / "r.jsonl", *lines), "--out", out) == 0
    assert len(ClipSet.open(out)) == 6
    assert "no clip of 1 of the events" in capsys.readouterr().out
    assert load_recipe(out / "recipe.yaml")
