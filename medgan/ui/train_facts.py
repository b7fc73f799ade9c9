"""What a run was asked for: its settings in a line, and one by one."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medgan.errors import RunError
from medgan.modalities import MODALITIES, OFF
from medgan.runs.record import Run
from medgan.ui.text import plain

SHOWN = 6
"""Classes that are named in the line."""


def facts(run: Run) -> None:
    """The line, once the run has its settings."""
    words = in_words(config_of(run))
    if words:
        st.caption(words)


def config_of(run: Run) -> dict[str, Any]:
    """`config.json`; empty while it is just starting."""
    try:
        return run.config()
    except RunError:
        return {}


def in_words(config: dict[str, Any]) -> str:
    """Preset, data set, augmentation, classes and what it started from."""
    if not config:
        return ""
    augment = config.get("train", {}).get("augment", OFF)
    shown = MODALITIES[augment].title if augment in MODALITIES else augment
    said = [
        f"Preset `{config.get('preset', '–')}`",
        f"data set {plain(str(config.get('dataset', {}).get('name', '–')))}",
        f"augmentation: {shown}",
        _classes(config),
        f"started from {started_from(config) or 'nothing'}",
    ]
    return " · ".join(filter(None, said))


def started_from(config: dict[str, Any]) -> str:
    """The name of the model that the run started from; empty for none."""
    return plain(str((config.get("init") or {}).get("name", "")))


def class_names(config: dict[str, Any]) -> list[str]:
    """The classes that its model tells apart."""
    return [str(name) for name, _ in config.get("model", {}).get("classes", ())]


def flat(config: dict[str, Any]) -> dict[str, str]:
    """Each setting by its name, as text, to be compared with another run's."""
    if not config:
        return {}
    named = {"preset": config.get("preset"), "data set": config.get("dataset", {}).get("name")}
    parts = {**config.get("model", {}), **config.get("train", {}), "device": config.get("device")}
    parts |= {"classes": ", ".join(class_names(config)) or "–", "started from": started_from(config) or "–"}
    return {name: str(value) for name, value in (named | parts).items()}


def _classes(config: dict[str, Any]) -> str:
    names = class_names(config)
    if not names:
        return ""
    more = ", …" if len(names) > SHOWN else ""
    return f"classes apart: {', '.join(plain(name, 24) for name in names[:SHOWN])}{more}"
