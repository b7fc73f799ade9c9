"""What a job at Hugging Face takes and costs, asked by a process of its own (`train --plan`) in a thread.

The Hub may be slow or silent, and no page waits for it. A token that was typed is in that process's
environment, and of what stays here only a digest that tells two tokens apart.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from medgan.runs.launch import ROOT, complaint, environment
from medgan.ui.session import hosted, workspace

PATIENCE = 40.0
"""Seconds for the Hub to say all of it."""
FRESH = 900.0
"""Seconds for which an answer holds; prices change."""
KEPT = 20
"""Earlier answers that are kept beside a new one."""
SILENT = f"Hugging Face did not answer within {PATIENCE:.0f} seconds. Try again in a few minutes."
UNREADABLE = "Hugging Face gave no answer that can be read; check the network, and HF_ENDPOINT if it is set."
_SALT = secrets.token_bytes(16)


@dataclass
class Quote:
    """What is known: a `problem` in a sentence, or the `job` that has the run already, or what is missing
    (`needs`), or the sentences of the `plan`; and the `hardware` with its prices."""

    asked: float = field(default_factory=time.monotonic)
    finished: bool = False
    problem: str = ""
    job: str = ""
    needs: list[str] = field(default_factory=list)
    plan: list[str] = field(default_factory=list)
    hardware: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, command: Sequence[str], given: dict[str, str]) -> None:
        """Run the command and take what it says; on a thread of its own."""
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, cwd=ROOT, env=given
            )
            self._take(done.stdout, done.stderr)
        except subprocess.TimeoutExpired:
            self.problem = SILENT
        except OSError as error:
            self.problem = f"Hugging Face could not be asked: {error.strerror or error}."
        finally:
            self.finished = True

    def _take(self, out: bytes, words: bytes) -> None:
        try:
            said = json.loads(out)
            self.job, self.needs, self.plan = said["job"] or "", said["needs"], said["plan"]
            self.hardware = said["hardware"]
        except (ValueError, KeyError, TypeError):
            self.problem = complaint(words.decode("utf-8", "replace").splitlines()) or UNREADABLE


class Quotes:
    """What one visitor has asked."""

    def __init__(self) -> None:
        self._known: dict[bytes, Quote] = {}

    def of(self, options: Sequence[str], token: str) -> Quote:
        """The answer to `train` with these options for whoever has this token; it is asked for where it is
        not known or too old."""
        key = hashlib.blake2b(repr((tuple(options), token)).encode(), key=_SALT).digest()
        known = self._known.get(key)
        if known is None or (known.finished and time.monotonic() - known.asked > FRESH):
            for old in list(self._known)[:-KEPT]:
                del self._known[old]
            known = self._known[key] = Quote()
            command = [sys.executable, "-m", "medgan", "train", *options, "--plan", "--json"]
            work = (command, environment(workspace(), token, login=not hosted()))
            threading.Thread(target=known.ask, args=work, daemon=True, name="quote").start()
        return known

    def forget(self) -> None:
        """Ask all of it anew."""
        self._known.clear()


def quotes() -> Quotes:
    """Those of this session."""
    kept: Quotes = st.session_state.setdefault("quotes", Quotes())
    return kept
