from dataclasses import replace

import pytest

from ast_edge.app.updates.proof import PROOF_SECONDS, Proof, Pulse


@pytest.fixture
def watched():
    """A proof, and functions that let windows be scored and time go by."""

    class Watched:
        def __init__(self):
            self.pulse, self.now = Pulse(100, 50.0, 2, 2.0), 1000.0
            self.proof = Proof(lambda: self.pulse, lambda: self.now)

        def scores(self, windows, each=0.1, unusable=0):
            seconds = self.pulse.seconds + windows * each
            self.pulse = replace(
                self.pulse,
                windows=self.pulse.windows + windows,
                seconds=seconds,
                unusable=self.pulse.unusable + unusable,
            )

        def look(self, after=0.0):
            self.now += after
            return self.proof.look()

    return Watched()


def test_a_bundle_that_keeps_up_for_a_minute_has_proved_itself(watched):
    watched.scores(10)
    assert watched.look() is None
    watched.scores(110)
    assert watched.look(PROOF_SECONDS) == ""


def test_within_the_minute_nothing_is_decided(watched):
    watched.scores(10, each=9.0)
    assert watched.look() is None
    assert watched.look(PROOF_SECONDS - 1) is None


def test_a_bundle_that_takes_longer_than_there_is_time_is_too_slow(watched):
    watched.scores(10, each=0.6)  # two windows a second are due
    watched.look()
    assert "slower than real time" in watched.look(PROOF_SECONDS)


def test_what_is_no_probability_is_enough_at_once(watched):
    watched.scores(1, unusable=1)
    assert "no probabilities" in watched.look()


def test_without_sound_nothing_is_proved(watched):
    assert watched.look(10 * PROOF_SECONDS) is None
    watched.scores(10)
    assert watched.look() is None
    assert watched.look(PROOF_SECONDS) == ""
