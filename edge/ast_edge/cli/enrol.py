"""Learn a sound from a handful of recordings, on this device, and add it to a bundle.

The network stays as it is; a small head is learnt on what it makes of sound. The bundle that is
written has the new label beside all others.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.cli.terminal import log_to_stderr

if TYPE_CHECKING:
    from ast_edge.enrolment.embedder import Embedder
    from ast_edge.enrolment.negatives import Negatives
    from ast_edge.enrolment.reviewed import ReviewedSound
    from ast_edge.enrolment.take import Take
    from ast_edge.model.bundle import Bundle

_EPILOG = """\
examples:
  ast-edge enrol "Doorbell (mine)" ring1.wav ring2.wav ring3.wav --out bundles/mine
  ast-edge enrol "Doorbell (mine)" ring*.wav --negatives days/ --out bundles/mine
  ast-edge enrol "Doorbell (mine)" --microphone usb --out bundles/mine
  ast-edge enrol "Doorbell (mine)" --from-reviews reviews-hall.jsonl --reviewed-as Doorbell \
      --out bundles/mine
  ast-edge enrol "Doorbell (mine)" --rename "Front door" --out bundles/mine
  ast-edge enrol "Front door" --remove --out bundles/mine
"""
TAKES = 5


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `enrol` to the sub-commands."""
    parser = commands.add_parser(
        "enrol",
        help="learn a sound of your own from a few recordings",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="what the sound is to be called")
    parser.add_argument("files", metavar="FILE", type=Path, nargs="*", help="a recording of it")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle to write")
    parser.add_argument(
        "--bundle", help="what to derive it from (what is in --out already; else home)"
    )
    parser.add_argument(
        "--from-reviews",
        type=Path,
        metavar="FILE",
        help="what the page has written (reviews-NODE.jsonl): the clips of events that were "
        "reviewed as the sound are takes, those that were marked wrong for it are learnt not to be "
        "it; there are clips only where `clips:` is on",
    )
    parser.add_argument(
        "--reviewed-as", metavar="LABEL", help="what it is called in the reviews (NAME)"
    )
    parser.add_argument(
        "--clips", type=Path, metavar="FOLDER", help="where the clips are, if they were moved"
    )
    parser.add_argument("--microphone", metavar="NAME", help="record the takes here and now")
    parser.add_argument(
        "--takes", type=_takes, default=TAKES, help=f"how many the microphone records ({TAKES})"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep what the microphone recorded (as FLAC)"
    )
    parser.add_argument(
        "--negatives",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="recordings of ordinary days without the sound, or folders of them (its bank)",
    )
    parser.add_argument(
        "--alarms", default="1 per day", help="how many false alarms one can live with (1 per day)"
    )
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--remove", action="store_true", help="forget the sound")
    change.add_argument("--rename", metavar="NEW", help="call the sound otherwise")
    parser.add_argument(
        "--engine", default="auto", choices=["auto", "tensorrt", "openvino", "onnxruntime"]
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Learn, rename or forget the sound, and write the bundle."""
    from ast_edge.model.bundle import find_bundle, load_bundle

    log_to_stderr()
    _check_options(args)
    inside = args.bundle is None and (args.out / "bundle.json").is_file()
    base = load_bundle(args.out if inside else find_bundle(args.bundle or "home"))
    if args.remove or args.rename is not None:
        return _change(args, base)
    return _enrol(args, base)


def _check_options(args: argparse.Namespace) -> None:
    """Refuse what does not go together, rather than forget half of it."""
    from ast_edge.base.errors import ConfigError

    recorded = bool(args.files or args.from_reviews)
    if args.remove or args.rename is not None:
        if recorded or args.negatives or args.microphone is not None:
            raise ConfigError("--remove and --rename take no recordings, and no microphone")
    elif recorded == (args.microphone is not None):
        raise ConfigError(
            "expected recordings of the sound, or --microphone to make some (or --from-reviews)"
        )
    if len({path.resolve() for path in args.files}) < len(args.files):
        raise ConfigError("expected takes of the sound, each once: a recording is named twice")
    if (args.reviewed_as or args.clips) and not args.from_reviews:
        raise ConfigError("--reviewed-as and --clips are for --from-reviews FILE")
    if args.keep and args.microphone is None:
        raise ConfigError("--keep is for what a --microphone records")


def _change(args: argparse.Namespace, base: "Bundle") -> int:
    from dataclasses import replace

    from ast_edge.enrolment.derived import check_name, find_own, own_labels, write_derived

    label = find_own(base, args.name)
    labels = own_labels(base)
    if args.remove:
        labels = [own for own in labels if own.name != label.name]
    else:
        check_name(base, args.rename, instead_of=label)
        labels = [
            replace(own, name=args.rename) if own.name == label.name else own for own in labels
        ]
    write_derived(base, args.out, labels)
    done = "is forgotten" if args.remove else f"is called {args.rename!r} now"
    print(f"{label.name!r} {done}: wrote {args.out}")
    return 0


def _enrol(args: argparse.Namespace, base: "Bundle") -> int:
    from ast_edge.base.errors import ConfigError
    from ast_edge.cli.enrol_view import print_learnt, print_take
    from ast_edge.engines.config import EngineConfig
    from ast_edge.enrolment.derived import (
        OwnLabel,
        check_name,
        check_place,
        own_labels,
        write_derived,
    )
    from ast_edge.enrolment.embedder import Embedder
    from ast_edge.enrolment.learning import learn
    from ast_edge.enrolment.negatives import find_recordings, hear_negatives, noises
    from ast_edge.enrolment.variants import VariantMaker
    from ast_edge.model.label_settings import TrackerSettings
    from ast_edge.tuning.wish import parse_wish

    try:
        wish = parse_wish(args.alarms)
    except ValueError as exc:
        raise ConfigError(f"--alarms: {exc}") from exc
    check_name(base, args.name)
    check_place(base, args.out)
    embedder = Embedder(base, EngineConfig(name=args.engine))
    try:
        recordings = find_recordings(args.negatives)
        # Files are read in a moment; what is recorded here and now is asked for when nothing else
        # can go wrong any more.
        reviewed = _read_reviewed(args, base)
        takes = [*_read_takes(args, base), *(reviewed.takes if reviewed else ())]
        started = time.monotonic()
        negatives = _negatives(base, recordings, embedder)
        if args.microphone is not None:
            takes = [*_record_takes(args, base)]
            started = time.monotonic()
        for take in takes:
            print_take(take)
        for note in reviewed.notes if reviewed else ():
            print(f"  note: {note}")
        wrong = reviewed.mistakes if reviewed else ()
        mistaken = f" and {len(wrong)} mistakes" if wrong else ""
        counted = f"{len(takes)} {'takes' if len(takes) > 1 else 'take'}"
        print(f"learning from {counted}{mistaken} …", flush=True)
        mistakes = hear_negatives(wrong, embedder) if wrong else None
        maker = VariantMaker(base.fbank, base.frames, noises(recordings, base.fbank.sample_rate))
        learnt = learn(takes, negatives, maker, embedder, wish, mistakes)
    finally:
        embedder.close()
    own = OwnLabel(args.name, TrackerSettings(), learnt.evidence, learnt.heads)
    derived = write_derived(base, args.out, [*own_labels(base), own])
    print_learnt(args.name, takes, learnt, base)
    if wrong:
        passed = f"{len(learnt.mistaken)} of {len(wrong)} mistakes"
        print(f"  {passed} pass for it once more, by heads that had not learnt them")
    print(f"wrote {args.out}: {len(derived.labels)} labels, {len(derived.own)} of them own")
    print(f"took {time.monotonic() - started:.1f} s")
    return 0


def _read_takes(args: argparse.Namespace, base: "Bundle") -> "Sequence[Take]":
    from ast_edge.enrolment.take import read_take

    return [read_take(path, base.fbank) for path in args.files]


def _record_takes(args: argparse.Namespace, base: "Bundle") -> "Sequence[Take]":
    from ast_edge.cli.enrol_recording import record_takes

    return record_takes(args.microphone, args.takes, base.fbank, args.keep)


def _read_reviewed(args: argparse.Namespace, base: "Bundle") -> "ReviewedSound | None":
    if not args.from_reviews:
        return None
    from ast_edge.enrolment.reviewed import read_reviewed
    from ast_edge.outputs.reviews import read_reviews

    book = read_reviews(args.from_reviews, args.clips)
    reviewed = read_reviewed(book, args.reviewed_as or args.name, base.fbank)
    for note in book.notes:
        print(f"note: {note}")
    return reviewed


def _negatives(base: "Bundle", recordings: Sequence[Path], embedder: "Embedder") -> "Negatives":
    from ast_edge.enrolment.bank import read_bank
    from ast_edge.enrolment.negatives import hear_negatives

    return hear_negatives(recordings, embedder) if recordings else read_bank(base)


def _takes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"expected 1 to 50 takes, got {text}")
    return int(text)
