"""What is said where nobody could be asked for a price."""

from __future__ import annotations

from pathlib import Path

from medgan.ui.quotes import Quote


def test_a_process_that_cannot_start_is_a_problem(tmp_path: Path) -> None:
    quote = Quote()
    quote.ask([str(tmp_path / "no-python")], {})
    assert quote.finished and "could not be asked: No such file" in quote.problem
