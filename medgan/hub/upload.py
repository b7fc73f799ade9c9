"""The process that uploads: `python -m medgan.hub.upload JSON`, started by `push.push`.

A process of its own for the reason that `fetch` has. The token comes by the environment (`HF_TOKEN`) or from
`hf auth login`, never by the command line, which everybody on the machine can read.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from medgan.errors import HubError
from medgan.hub.child import Pulse, say, serve
from medgan.hub.failures import AGAIN, LOG_IN, Target

_BEAT = 1.0


def upload(target: Target, folder: Path, files: list[str], private: bool) -> dict[str, Any]:
    """Make the repository where there is none, and put `files` of `folder` into one commit; returns the
    page's address and the commit. HubError with a sentence for the user."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    hub = HfApi(endpoint=target.endpoint)
    say(total=sum((folder / name).stat().st_size for name in files))
    try:
        with _Alive():
            made = hub.create_repo(target.repo, private=private, repo_type=target.kind, exist_ok=True)
            commit = hub.upload_folder(
                repo_id=target.repo,
                folder_path=folder,
                repo_type=target.kind,
                allow_patterns=files,
                commit_message="Upload from MedGAN",
            )
    except HfHubHTTPError as error:
        status = getattr(getattr(error, "response", None), "status_code", 0)
        raise HubError(refused(status, target)) from error
    return {"url": str(made), "revision": commit.oid}


def refused(status: int, target: Target) -> str:
    """The server did not take it."""
    host, repo = target.host, target.repo
    if status == 401:
        return f"{host} does not know you; {LOG_IN}, with a token that may write."
    if status in (403, 404):
        return (
            f"{host} does not let you write to {repo}; take a name of your own, and a token that may write."
        )
    if status in (402, 413, 507):
        return f"{host} has no room for {repo} (HTTP {status}); make room there, or upload less."
    if status == 429:
        return f"{host} has had too many requests from here. {AGAIN}"
    if status >= 500:
        return f"{host} has trouble of its own (HTTP {status}). {AGAIN}"
    return f"{host} refused the upload to {repo} (HTTP {status})."


class _Alive:
    """Says once a second that the process is at work: the client does not tell how many bytes went."""

    def __enter__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def _beat(self) -> None:
        pulse = Pulse()
        while not self._done.wait(_BEAT):
            pulse.beat()


if __name__ == "__main__":
    serve(
        lambda request, target: upload(target, Path(request["folder"]), request["files"], request["private"])
    )
