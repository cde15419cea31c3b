"""The door for people at a terminal: ``sealflow``; exit status as in sysexits.h, messages in Chinese or English."""

from engine.cli.entry import main

__all__ = ["main"]
