"""The microphone: chosen from the list, by ear and level meter."""

from ast_edge.app.open_source import open_source
from ast_edge.app.source_config import SourceConfig
from ast_edge.base.errors import AudioError
from ast_edge.cli.devices import meter
from ast_edge.cli.setup.talk import Talk
from ast_edge.doctor.first_seconds import FirstSeconds
from ast_edge.monitoring.remedies import REMEDIES, ailment_of_level, ailment_of_silence
from ast_edge.sources.devices import find_input, list_inputs
from ast_edge.sources.missing import what_is_missing

METER_SECONDS = 15.0


def choose_microphone(given: str | None, talk: Talk, *, untried: bool) -> str:
    """Return what is written as `microphone`.

    Raises:
        AudioError: there is none of that name, and nobody who could choose another.
    """
    while True:
        try:
            return _choose(given, talk)
        except AudioError as exc:
            if untried:
                talk.warn(f"not there now: {exc}; it will be waited for")
                return given or "default"
            if not talk.asks:
                raise
            talk.warn(str(exc))
            if not talk.agrees("look again?"):
                return given or "default"
            given = None


def _choose(given: str | None, talk: Talk) -> str:
    inputs = list_inputs()
    if not inputs:
        raise AudioError(f"no input device: {what_is_missing()}")
    if given is not None or not talk.asks:
        device = find_input(given or "default", inputs)
        talk.say(f"{device.name}, {device.sample_rate} Hz")
        _judge(given or "default", talk)
        return given or "default"
    for device in inputs:
        talk.say(f"{'*' if device.is_default else ' '}{device.index:>3}  {device.name}")
    usual = next((device.name for device in inputs if device.is_default), inputs[0].name)
    while True:
        device = find_input(talk.ask("which one? its number or a part of its name", usual), inputs)
        talk.say("clap, or speak: the bar should follow; Enter goes on")
        meter(device, METER_SECONDS, until=talk.enough)
        if talk.agrees("did it?"):
            return "default" if device.is_default and device.name == "default" else device.name


def _judge(name: str, talk: Talk) -> None:
    """Hear a moment of it and say what is wrong with that."""
    config = SourceConfig(microphone=name)
    heard = FirstSeconds(open_source("setup", config), config)
    for _ in heard.blocks():
        pass
    if not heard.seconds:
        remedy = REMEDIES[ailment_of_silence(heard.complaint, microphone=True)]
        talk.warn(f"no sound: {heard.complaint or 'nothing comes'}; {remedy}")
        return
    talk.say(f"{heard.seconds:.1f} s of sound, peak {heard.peak:.0f} dBFS")
    if ailment := ailment_of_level(heard.peak, 0.0):
        talk.warn(REMEDIES[ailment])
