"""The Models page puts a model on the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from medgan.errors import DataError
from tests.ui.test_pages import open_page


def test_a_model_is_pushed_with_its_evaluations_and_what_was_said(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medgan.hub import push as pushing

    asked: list[tuple[Path, str, pushing.Wish, str]] = []

    def push(source: Path, repo: str, wish: pushing.Wish, *, token: str, deadline: float) -> pushing.Pushed:
        asked.append((source, repo, wish, token))
        if not wish.licence:
            raise DataError("Say under which licence.")
        return pushing.Pushed("https://hub/ada/tiny", "ab" * 20, ())

    monkeypatch.setattr(pushing, "push", push)
    app = open_page("models")
    app.text_input(key="push_repo").set_value("not a name")
    app.button[-1].click().run()
    assert "owner/name" in app.error[0].value and not asked
    app.text_input(key="push_repo").set_value("ada/tiny")
    app.text_input(key="push_token").set_value("hf_secret")
    app.button[-1].click().run()
    assert "licence" in app.error[0].value
    app.selectbox(key="push_licence").set_value("mit")
    app.button[-1].click().run()
    assert not app.exception and not app.error
    source, repo, wish, token = asked[-1]
    assert (repo, token, wish.private, list(wish.reports)) == ("ada/tiny", "hf_secret", True, [])
    assert (source / "model.safetensors").is_file()
    assert any("abababababab" in s.value for s in app.success)
