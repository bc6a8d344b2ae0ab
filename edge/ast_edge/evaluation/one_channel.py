"""One channel of a recording, as the source that is configured for it would hear it."""

from collections.abc import Iterator
from dataclasses import replace

from ast_edge.audio.stream import Block, Source, Stream
from ast_edge.base.errors import AudioError
from ast_edge.detection.hearing import Hearing


class OneChannel:
    """A source of one channel of another; what has only one is taken to be that, as clips are."""

    def __init__(self, source: Source, channel: int) -> None:
        """Take the channel, from 1."""
        self.name, self._source, self._channel = source.name, source, channel

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of that channel.

        Raises:
            AudioError: the source cannot be read, or has no such channel.
        """
        whole: Stream | None = None
        for block in self._source.blocks():
            if block.stream is not whole:
                whole = block.stream
                part = replace(whole, channels=1)
            index = self._channel - 1 if whole.channels > 1 else 0
            if index >= whole.channels:
                raise AudioError(
                    f"{self.name}: expected a channel {self._channel}, as the configuration says, "
                    f"got {whole.channels} only"
                )
            yield replace(block, stream=part, samples=block.samples[:, index : index + 1])

    def close(self) -> None:
        """Make `blocks` return soon."""
        self._source.close()


def for_recordings(hearing: Hearing, source: Source) -> tuple[Hearing, Source]:
    """Return how a recording is listened to as a source would be, whose channel is chosen here."""
    channel = hearing.conditioning.channel
    if channel is None:
        return hearing, source
    conditioning = replace(hearing.conditioning, channel=None)
    return replace(hearing, conditioning=conditioning), OneChannel(source, channel)
