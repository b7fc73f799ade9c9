"""Which images are drawn, and that no name leads out of its folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from medgan.hub.draw import Names, draw

LABELS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=80)


@given(LABELS, st.integers(1, 90), st.integers(0, 9))
def test_a_draw_has_the_count_and_every_class_its_share_to_within_one(
    labels: list[str], count: int, seed: int
) -> None:
    chosen = draw(labels, count, seed)
    assert chosen == sorted(set(chosen)) and chosen == draw(labels, count, seed)
    assert len(chosen) == min(count, len(labels))
    drawn = Counter(labels[index] for index in chosen)
    for label, size in Counter(labels).items():
        assert abs(drawn[label] - size * len(chosen) / len(labels)) < 1


def test_without_a_count_all_are_taken() -> None:
    assert draw(["a", "b"], None, 0) == [0, 1]


def test_another_seed_draws_others() -> None:
    assert draw(["a"] * 100, 10, 0) != draw(["a"] * 100, 10, 1)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=30))
def test_whatever_the_names_are_places_are_inside_short_and_apart(pairs: list[tuple[str, str]]) -> None:
    names = Names()
    places = [names.place(label, stem, ".png") for label, stem in pairs]
    assert len({place.as_posix().casefold() for place in places}) == len(pairs)
    for place in places:
        folder, file = place.parts
        assert place == Path(folder) / file and place.suffix == ".png"
        assert not place.is_absolute() and not {folder[0], file[0]} & set(".- ")
        assert max(len(folder.encode()), len(file.encode())) < 200
    folders = {label: place.parts[0] for (label, _), place in zip(pairs, places, strict=True)}
    assert len(set(folders.values())) == len(folders)
