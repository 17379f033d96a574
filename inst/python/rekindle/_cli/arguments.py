"""The arguments that several commands share."""

from __future__ import annotations

import argparse


def add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the backup folder")
    parser.add_argument("--json", action="store_true", help="write JSON, for programs")


def add_save(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--save",
        metavar="SAVE",
        type=_save,
        default="latest",
        help="the number or the name of a checkpoint; by default the latest",
    )


def _save(value: str) -> str | int:
    return int(value) if value.isascii() and value.isdigit() else value
