"""What is known and decided about a survey's images before anything is written: copies, groups, parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from medgan.data.assessment import assess
from medgan.data.copies import Pair, exact_copies, near_copies, resolve
from medgan.data.dataset import content_sha256, digest
from medgan.data.groups import AUTO, NONE, PATIENT, Groups, find_groups
from medgan.data.leaks import Leak, nearest_across
from medgan.data.records import Found
from medgan.data.settings import Settings
from medgan.data.split import PARTS, split
from medgan.data.spool import Spool
from medgan.data.survey import Progress, Row, Survey
from medgan.errors import DataError
from medgan.images import to_channels

MINIMUM = 4
"""Fewer images cannot be split into parts."""
_NAME_THEM = (
    "If you can tell patients apart, say so by a column patient in the table of labels, or by a pattern on "
    "file names."
)
GREY_SHARE = 0.95
"""`auto` makes a set grey when at least this share of its images carries no colour."""


class Examined:
    """The images that stay (`rows`, in order), their `groups` and `splits`, and the `report`.

    With fewer than four usable images nothing is split; why a larger set cannot be split, `trouble` says.
    """

    def __init__(self, seen: Survey, found: Found, settings: Settings, spool: Spool, progress: Progress):
        self.seen, self.settings, self.spool = seen, settings, spool
        self.channels = self._choose_channels()
        progress("Looking for copies", 0, 2)
        self._find_copies()
        progress("Looking for copies", 1, 2)
        self._divide()
        self.report = self._report(found)
        progress("Looking for copies", 2, 2)

    def image(self, row: Row) -> np.ndarray:
        """The prepared pixels of a row, uint8 `(S, S, C)` with the set's channels."""
        return to_channels(self.spool.read(row.place), self.channels)

    def manifest(self) -> Iterator[tuple[Any, ...]]:
        """A row an image, as `dataset.COLUMNS` names them; only where there is a split."""
        groups = self.groups.numbers.tolist() if self.groups else []
        for k, row, group, part in zip(self.copies.kept, self.rows, groups, self.splits, strict=True):
            yield row.file, row.label, group, part, row.width, row.height, row.window, self.hashes[k]

    def classes(self) -> dict[str, dict[str, int]]:
        """How many images of each class stand in each part."""
        labels = [row.label for row in self.rows]
        if not self.splits:
            return {label: {"all": count} for label, count in sorted(Counter(labels).items())}
        pairs = Counter(zip(labels, self.splits, strict=True))
        return {label: {part: pairs[label, part] for part in PARTS} for label in sorted(set(labels))}

    def _choose_channels(self) -> int:
        colour, rows = self.settings.colour, self.seen.rows
        if colour != "auto":
            return 1 if colour == "grey" else 3
        return 1 if rows and np.mean([row.grey for row in rows]) >= GREY_SHARE else 3

    def _find_copies(self) -> None:
        rows = self.seen.rows
        self.hashes = [
            row.sha256 if row.place.shape[2] == self.channels else digest(self.image(row)) for row in rows
        ]
        exact = exact_copies(self.hashes)
        near = near_copies(_thumbs(rows), lambda k: self.image(rows[k]), exact)
        labels, names = [row.label for row in rows], [row.file for row in rows]
        self.copies = resolve(exact, near, labels, names, self.settings.choices())

    def _divide(self) -> None:
        self.rows = [self.seen.rows[k] for k in self.copies.kept]
        thumbs, labels = _thumbs(self.rows), [row.label for row in self.rows]
        names, patients = [row.file for row in self.rows], self._patients()
        how, fractions, seed = self.settings.group, self.settings.fractions(), self.settings.seed
        self.splits: list[str] = []
        self.leak: Leak | None = None
        self.groups: Groups | None = None
        self.wanted: dict[str, int] | None = None
        self.trouble = ""
        if len(self.rows) < MINIMUM:
            return
        try:
            self.groups = find_groups(how, names, patients, thumbs, self.copies.together())
            self.wanted = fractions.counts(len(self.rows))
            self.splits = split(labels, self.groups.numbers, fractions, seed)
            self.leak = nearest_across(thumbs, self.splits)
        except DataError as error:  # what there is can still be told
            self.trouble = str(error)

    def _patients(self) -> list[bytes | None]:
        """Who each picture is of. Exports without names often give all files one id, or none: then the
        studies stand for the patients."""
        patients = [row.patient for row in self.rows]
        studies = len({row.study for row in self.rows} - {None})
        self.notes: list[str] = []
        if len(set(patients) - {None}) > 1 or studies < 2:
            return patients
        named = "one and the same patient" if any(patients) else "no patient"
        self.notes.append(
            f"The files name {named}, so their {studies} studies count as patients; two studies of one "
            "patient may be divided."
        )
        return [row.study or row.patient for row in self.rows]

    def _report(self, found: Found) -> dict[str, Any]:
        seen, copies = self.seen, self.copies
        names = [row.file for row in seen.rows]
        classes = self.classes()
        groups = Counter(self.groups.numbers.tolist()) if self.groups else Counter[int]()
        advice = assess(
            classes,
            groups=len(groups),
            largest_group=max(groups.values(), default=0),
            wanted=self.wanted,
            pattern=how if (how := self.settings.group) not in (AUTO, NONE, PATIENT) else "",
        )
        return {
            "accepted": len(self.rows),
            "rejected": [vars(entry) for entry in [*found.rejected, *seen.rejected]],
            "left_out": [{"file": names[k], "reason": why} for k, why in copies.dropped.items()],
            "duplicates": [self._pair(pair) for pair in copies.duplicates],
            "near_duplicates": [self._pair(pair) for pair in copies.near_duplicates],
            "conflicts": [self._pair(pair) for pair in copies.conflicts],
            "groups": len(groups),
            "grouping": self.groups.words if self.groups else "",
            "splits": {part: self.splits.count(part) for part in PARTS},
            "classes": classes,
            "channels": self.channels,
            "size": self.settings.size,
            "kinds": dict(seen.kinds),
            "deep": seen.deep,
            "hu": seen.hu,
            "dropped": dict(seen.dropped),
            "flagged": [vars(entry) for entry in seen.flagged],
            "leak_check": self._leak(),
            "advice": [{"level": "warning", "text": self.trouble}] * bool(self.trouble)
            + [vars(entry) for entry in advice],
            "trouble": self.trouble,
            "notes": [*found.notes, *self.notes, *_over_time(seen.over_time)],
            "files": [row.file for row in self.rows],
            "settings": self.settings.to_json(),
            "content_sha256": self._content(),
        }

    def _content(self) -> str:
        kept = zip(self.copies.kept, self.rows, self.splits or [""] * len(self.rows), strict=True)
        return content_sha256((self.hashes[k], part, row.label) for k, row, part in kept)

    def _pair(self, pair: Pair) -> dict[str, Any]:
        first, second = self.seen.rows[pair.first], self.seen.rows[pair.second]
        exact = self.hashes[pair.first] == self.hashes[pair.second]
        return {
            "first": first.file,
            "second": second.file,
            "labels": [first.label, second.label],
            "kind": "exact" if exact else "near",
            "turned": pair.turned,
            "distance": round(pair.distance, 2),
        }

    def _leak(self) -> dict[str, Any] | None:
        leak = self.leak
        if leak is None:
            return None
        return {
            "first": self.rows[leak.first].file,
            "second": self.rows[leak.second].file,
            "part": leak.part,
            "distance": round(leak.distance, 2),
            "typical": round(leak.typical, 2),
            "ratio": round(leak.ratio, 3),
            "likeness": round(leak.likeness, 3),
            "words": leak.words,
            "warning": "" if self._is_drawn() else leak.warning,
            "nameless": self._nameless(),
        }

    def _is_drawn(self) -> bool:
        """Whether no patient stands behind the images."""
        return set(self.seen.kinds) == {"phantom"}

    def _nameless(self) -> str:
        """That nobody knows whose images these are, if so: likeness finds copies and neighbouring slices, but
        not all images of one patient."""
        number, images = self.groups.nameless if self.groups else 0, len(self.rows)
        if not number or self._is_drawn():
            return ""
        who = "No patient is known" if number == images else f"No patient is known of {number:,} images"
        return f"{who}, so images of one patient may stand on both sides of the split. {_NAME_THEM}"


def _over_time(files: Sequence[tuple[str, int]]) -> list[str]:
    """A note on files of several volumes."""
    if not files:
        return []
    name, volumes = files[0]
    many = f"{len(files):,} files hold several volumes" if len(files) > 1 else "1 file holds several volumes"
    return [f"{many} (over time), of which the first alone is used (such as {name}: 1 of {volumes:,})."]


def _thumbs(rows: Sequence[Row]) -> np.ndarray:
    return np.stack([row.thumb for row in rows]) if rows else np.empty((0, 32, 32, 3), np.uint8)
