"""The process that records: `python -m ast_edge.sources.capture --device default`.

It writes one line of JSON (device, sample_rate, channels) and then s16le PCM to standard output,
and one line with the reason to standard error when it cannot go on. It ends when its standard
input does, which is when the process that started it is gone. `ast_edge.sources.microphone` runs
it; it is a process of its own because a stalled PortAudio stream can only be killed.

Imports are few so that it starts fast on a small computer.
"""

import argparse
import json
import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar

from ast_edge.base.errors import AudioError
from ast_edge.sources.alsa_recorder import AlsaRecorder
from ast_edge.sources.devices import PULSE, InputDevice, find_input, query_inputs, to_json
from ast_edge.sources.missing import what_is_missing
from ast_edge.sources.pulse_source import through_the_bridge, watch, with_pulse_sources

if TYPE_CHECKING:
    import sounddevice

_CALLBACKS_PER_SECOND = 25
_QUEUE_SECONDS = 5
_COMMON_RATES = (48000, 44100, 16000)
_END = b""
_MOST_OWN_CHANNELS = 16
_FORMAT_NOT_SUPPORTED = -9994
"""PortAudio's number for it."""

_T = TypeVar("_T")


def main(argv: list[str] | None = None) -> NoReturn:
    """Record until something ends it."""
    parser = argparse.ArgumentParser(prog="python -m ast_edge.sources.capture", description=__doc__)
    parser.add_argument("--device", default="default", help="what `ast-edge devices` lists")
    parser.add_argument("--sample-rate", type=int, help="hertz, if the device can")
    parser.add_argument("--channels", type=int, help="number of channels, if the device can")
    parser.add_argument("--at-least", type=int, default=1, help="channels that it should have")
    parser.add_argument("--list", action="store_true", help="print the devices as JSON and exit")
    args = parser.parse_args(argv)
    _keep_stderr_for_us()
    try:
        inputs = query_inputs()
        if args.list:
            print(to_json(with_pulse_sources(inputs)), flush=True)
            _leave(0)
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        device = _find(args.device, inputs)
        _record(
            _open(device, args.sample_rate, channel_counts(device, args.channels, args.at_least))
        )
    except AudioError as exc:
        _leave(exc.exit_code, str(exc))
    except BrokenPipeError:
        _leave(0)


def _find(wanted: str, inputs: Sequence[InputDevice]) -> InputDevice:
    """Return the device to open; of a sound server's microphone it is watched that it stays.

    Raises:
        AudioError: none fits, or several do.
    """
    known = with_pulse_sources(inputs, wanted)
    if not known:
        raise AudioError(f"there is no input device at all: {what_is_missing()}")
    found = find_input(wanted, known)
    if not found.name.startswith(PULSE):
        return found
    name = found.name.removeprefix(PULSE)
    leave = partial(_leave, AudioError.exit_code)
    threading.Thread(target=watch, args=(name, leave), daemon=True).start()
    return through_the_bridge(found, inputs)


class _Recorder:
    """A stream whose callback fills a bounded queue."""

    def __init__(self, device: InputDevice, sample_rate: int, channels: int) -> None:
        """Open the device; raises sounddevice.PortAudioError when it cannot do that."""
        import sounddevice

        self.device, self.sample_rate, self.channels = device, sample_rate, channels
        self._queue: queue.Queue[bytes] = queue.Queue(_QUEUE_SECONDS * _CALLBACKS_PER_SECOND)
        self._stream = sounddevice.RawInputStream(
            device=device.index,
            samplerate=sample_rate,
            channels=channels,
            dtype="int16",
            blocksize=max(sample_rate // _CALLBACKS_PER_SECOND, 1),
            latency="high",
            # Noise would be added to the last of 16 bits, and digital silence be none.
            dither_off=True,
            callback=self._take,
            finished_callback=self._finish,
        )

    def blocks(self) -> Iterator[bytes]:
        """Yield PCM; raises AudioError when there is no more."""
        self._stream.start()
        while block := self._queue.get():
            yield block
        raise AudioError("the device has gone away")

    def _take(
        self, data: memoryview, frames: int, time: object, status: "sounddevice.CallbackFlags"
    ) -> None:
        if status.input_overflow:
            print("input overflow: the device has lost samples", file=sys.stderr, flush=True)
        try:
            self._queue.put_nowait(bytes(data))
        except queue.Full:
            # Dropping samples would shift the time of all that follow: make it a gap, by ending.
            _leave(AudioError.exit_code, f"the sound has not been read for {_QUEUE_SECONDS} s")

    def _finish(self) -> None:
        self._queue.put(_END)


def _record(recorder: _Recorder | AlsaRecorder) -> NoReturn:
    """Write what a device records to standard output."""
    blocks = recorder.blocks()
    header = {
        "device": recorder.device.name,
        "sample_rate": recorder.sample_rate,
        "channels": recorder.channels,
    }
    _write(json.dumps(header).encode() + b"\n")
    for block in blocks:
        _write(block)
    raise AssertionError("blocks ends by AudioError")


def _open(
    device: InputDevice, sample_rate: int | None, channels: list[int]
) -> "_Recorder | AlsaRecorder":
    """Open the device as asked, else as it can, the nearest first.

    Raises:
        AudioError: in no way.
    """
    import sounddevice

    first_refusal = None
    for count in channels:
        for rate in _distinct(sample_rate, device.sample_rate, *_COMMON_RATES):
            try:
                return _Recorder(device, rate, count)
            except sounddevice.PortAudioError as exc:
                first_refusal = first_refusal or exc
                if _FORMAT_NOT_SUPPORTED in exc.args:
                    return _open_by_alsa(device, rate, count)
    raise AudioError(f"{device.name!r} cannot be opened: {first_refusal}") from first_refusal


def _open_by_alsa(device: InputDevice, sample_rate: int, channels: int) -> AlsaRecorder:
    """Open a device of a format that PortAudio does not know."""
    try:
        return AlsaRecorder(device, sample_rate, channels)
    except AudioError as exc:
        raise AudioError(f"{device.name!r} cannot be opened: {exc}") from exc


def channel_counts(device: InputDevice, asked: int | None, needed: int = 1) -> list[int]:
    """Return with how many channels to open a device, the best first.

    Its own, unless others are asked for: of fewer, PortAudio gives the first and leaves out the
    rest. A sound server offers dozens whatever the microphone has; asked for one, it mixes.
    """
    is_hardware = "(hw:" in device.name
    own = device.channels if is_hardware or device.channels <= _MOST_OWN_CHANNELS else None
    return _distinct(asked, own, needed, 1, 2, device.channels)


def _distinct(*choices: _T | None) -> list[_T]:
    """Return the choices in order, without None and repetitions."""
    return list(dict.fromkeys(choice for choice in choices if choice is not None))


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _keep_stderr_for_us() -> None:
    """Send what ALSA and PortAudio print to nowhere; Python's own messages still come through."""
    ours = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(ours, "w", buffering=1)


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    _leave(0)


def _leave(status: int, reason: str | None = None) -> NoReturn:
    """End at once: an orderly exit stops the stream, which can take for ever."""
    if reason is not None:
        print(reason, file=sys.stderr, flush=True)
    os._exit(status)


if __name__ == "__main__":
    main()
