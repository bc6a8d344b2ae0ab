import numpy as np
from rigs.training.packs import Pack, hiss, make_recipe, tone

from ast_training.data.audio_cache import AudioCache
from ast_training.data.recordings import read_recordings
from ast_training.data.tables import read_may
from ast_training.teacher.grid import step_count
from ast_training.teacher.heard import without_features
from ast_training.teacher.overheard import Overheard, heard_by_all, overhear, write_overheard


class Listener:
    """Hears a label in the half seconds that are loud, each as surely as it says."""

    def __init__(self, **sure):
        self.labels, self._sure = tuple(sure), np.float32(list(sure.values()))

    def hear(self, samples):
        steps = samples[:, : step_count(samples.shape[1]) * 8000].reshape(len(samples), -1, 8000)
        loud = (np.abs(steps).max(axis=2) > 0.1)[..., None] * self._sure
        return without_features(loud.mean(axis=1), loud.astype(np.float32))


SOUND = np.concatenate([np.zeros(3 * 8000), np.ones(8000)]).astype(np.float32)


def test_what_all_teachers_hear_in_some_half_second_is_heard():
    both = [Listener(Speech=0.9, Music=0.8), Listener(Music=0.7, Speech=0.4)]
    assert heard_by_all(both, SOUND, 0.3) == ["Music", "Speech"]


def test_what_one_of_them_does_not_hear_is_not():
    both = [Listener(Speech=0.9, Music=0.8), Listener(Music=0.7, Speech=0.2)]
    assert heard_by_all(both, SOUND, 0.3) == ["Music"]


def test_a_label_that_one_teacher_knows_is_for_that_one_to_say():
    assert heard_by_all([Listener(Speech=0.9), Listener(Music=0.2)], SOUND, 0.3) == ["Speech"]


def test_only_labels_that_are_asked_for_are_told(tmp_path):
    pack = Pack(tmp_path / "noise")
    pack.add("loud.wav", "fan", tone(300, 1.0))
    pack.add("quiet.wav", "fan", hiss(1, 1.0, level=0.01))
    config = pack.config(role="background")
    recipe = make_recipe({"noise": config})
    cache = AudioCache(read_recordings(recipe.pack_set), 16_000)
    teachers = [Listener(Speech=0.9, Music=0.8)]
    folders = {"noise": tmp_path / "noise" / "audio"}
    assert list(overhear(cache, folders, teachers, {"Speech"}, 0.3)) == [
        Overheard("noise", "loud.wav", ("Speech",)),
        Overheard("noise", "quiet.wav", ()),
    ]


def test_what_is_written_is_read_again(tmp_path):
    both = ("Speech", "Baby cry, infant cry")
    table = tmp_path / "heard.csv"
    write_overheard(table, [Overheard("a", "x.wav", both), Overheard("b", "y.wav", ())])
    assert read_may(table, "a") == {"x.wav": [*both]}
    assert read_may(table, "b") == {"y.wav": []}
