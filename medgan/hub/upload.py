"""The process that uploads: `python -m medgan.hub.upload JSON`, started by `push.push`.

A process of its own for the reason that `fetch` has. The token comes by the environment (`HF_TOKEN`) or from
`hf auth login`, never by the command line, which everybody on the machine can read; the names of the files
do not stand there either, since an export has more of them than a command line may hold.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medgan.errors import HubError
from medgan.hub.child import Meter, say, serve
from medgan.hub.failures import LOG_IN, Target, explain, explain_upload, not_a_hub

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

COMMIT = 500
"""Files of one commit: the Hub gives up on commits that take too long."""
ASKED = 200
"""Files that are looked up at once."""
FIRST = ("README.md", "LICENSE", "config.json", "export.json", "metadata.csv")
"""What goes first, so that nothing is ever there without its card."""
ITS_OWN = (".gitattributes",)
"""What the Hub itself puts into a new repository."""


def upload(target: Target, folder: Path, private: bool) -> dict[str, Any]:
    """Make the repository where there is none, put all files of `folder` there and see that they arrived;
    returns the page's address, the commit and whether the repository is private.

    HubError with a sentence for the user: also where the repository would show to everybody what shall be
    private, or holds other files already.
    """
    from huggingface_hub import HfApi, get_token

    with _explained(target):
        if get_token() is None:
            raise HubError(f"{target.host} does not know you; {LOG_IN}, with a token that may write.")
        hub = HfApi(endpoint=target.endpoint)
        names = _names(folder)
        hub.create_repo(target.repo, private=private, repo_type=target.kind, exist_ok=True)
        found = hub.repo_info(target.repo, repo_type=target.kind)
        _check_visibility(bool(found.private), private, target)
        _check_content([file.rfilename for file in getattr(found, "siblings", None) or ()], names, target)
        commit = _send(hub, folder, names, target)
    return {"url": _page(target), "revision": commit, "private": bool(found.private)}


def _names(folder: Path) -> list[str]:
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(names, key=lambda name: (name not in FIRST, name))


def _page(target: Target) -> str:
    """The repository's address for people, without a password that may stand in the hub's."""
    scheme = target.endpoint.partition("://")[0]
    return f"{scheme}://{target.host}/{'datasets/' if target.kind == 'dataset' else ''}{target.repo}"


def _check_visibility(private: bool, wished: bool, target: Target) -> None:
    """The Hub ignores the wish for a private repository where there is one already."""
    if wished and not private:
        raise HubError(
            f"{target.repo} is there already and public: everybody would see what you want private. Take "
            "another name, make it private on its page, or say that it shall be public."
        )


def _check_content(there: Sequence[str], names: Sequence[str], target: Target) -> None:
    """What somebody else keeps there is neither written over nor mixed with this."""
    others = sorted(set(there) - set(names) - set(ITS_OWN))
    if others:
        more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
        raise HubError(
            f"{target.repo} holds something else already ({others[0][:80]!r}{more}); take a name of its own, "
            "or empty it on its page first."
        )


def _send(hub: HfApi, folder: Path, names: Sequence[str], target: Target) -> str:
    """Upload, commit and check batch by batch; what is there already is not sent again. The last commit."""
    say(total=sum((folder / name).stat().st_size for name in names))
    meter, commit = Meter(), ""
    for start in range(0, len(names), COMMIT):
        files = [_Sent(folder / name, name, meter) for name in names[start : start + COMMIT]]
        additions = [file.addition for file in files]
        done = hub.create_commit(
            target.repo,
            additions,
            commit_message="Upload from MedGAN",
            repo_type=target.kind,
        )
        commit = done.oid
        for file in files:
            file.arrived()
        _verify(hub, additions, commit, target)
    say(done=meter.done)
    return commit


def _verify(hub: HfApi, additions: Sequence[CommitOperationAdd], commit: str, target: Target) -> None:
    """Whether the hub has the very bytes that were sent."""
    for start in range(0, len(additions), ASKED):
        some = additions[start : start + ASKED]
        paths = [addition.path_in_repo for addition in some]
        about = hub.get_paths_info(target.repo, paths, revision=commit, repo_type=target.kind)
        found = {entry.path: entry for entry in about}
        say(beat=1)
        for addition in some:
            there: Any = found.get(addition.path_in_repo)
            if there is None or not _same(there, addition):
                raise HubError(
                    f"{target.host} does not hold what was sent as {addition.path_in_repo}: do not use "
                    f"{target.repo}; delete it on its page, and push again."
                )


def _same(there: Any, addition: CommitOperationAdd) -> bool:
    if getattr(there, "size", None) != addition.upload_info.size:
        return False
    if there.lfs:
        return bool(there.lfs.sha256 == addition.upload_info.sha256.hex())
    data = Path(str(addition.path_or_fileobj)).read_bytes()
    # git's name of a blob, which is what the hub announces
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return bool(there.blob_id == blob.hexdigest())


class _Sent:
    """A file on its way: its bytes count when they are read to be sent, each once, or when it has arrived in
    another way (in the commit itself, or before)."""

    def __init__(self, path: Path, name: str, meter: Meter) -> None:
        self._size, self._counted, self._meter = path.stat().st_size, 0, meter
        self.addition = _addition(path, name, self._reached)

    def _reached(self, position: int) -> None:
        if position > self._counted:
            self._meter.add(position - self._counted)
            self._counted = position

    def arrived(self) -> None:
        """All of it is there."""
        self._reached(self._size)


def _addition(path: Path, name: str, reached: Callable[[int], None]) -> CommitOperationAdd:
    """What the library wants to know of a file. Where it would draw a progress bar, `reached` is told."""
    from huggingface_hub import CommitOperationAdd

    addition = CommitOperationAdd(name, str(path))

    @contextmanager
    def as_file(with_tqdm: bool = False) -> Iterator[Any]:
        with _Counting(path, reached) if with_tqdm else path.open("rb") as file:
            yield file

    addition.as_file = as_file  # type: ignore[method-assign]
    return addition


class _Counting(io.FileIO):
    """Tells how far it was read. What is read once more, for another try, is no progress."""

    def __init__(self, path: Path, reached: Callable[[int], None]) -> None:
        super().__init__(path)
        self._tell_of = reached

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file."""
        data = super().read(-1 if size is None else size)
        self._tell_of(self.tell())
        return data or b""


@contextmanager
def _explained(target: Target) -> Iterator[None]:
    """As `child.explained`, for what an upload raises: the library wraps some of it."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        message = explain_upload(cause, target) or explain(cause, target)
        if message is None and isinstance(cause, ValueError | KeyError):
            message = _misunderstood(cause, target)  # the library's way to say that an answer made no sense
        if message is None:
            raise
        raise HubError(message) from error


def _misunderstood(error: Exception, target: Target) -> str:
    text = str(error)
    if text.startswith("LFS batch"):
        return f"{target.host} does not take the files: there is no room for them, or one is too large."
    if text.startswith("Invalid metadata"):
        return f"{target.host} does not accept the head of the card; does it know the licence by this name?"
    return not_a_hub(target)


def _work(request: dict[str, Any], target: Target) -> dict[str, Any]:
    """Serve one request: folder and visibility."""
    warnings.simplefilter("ignore")  # the library passes on what the server wrote
    return upload(target, Path(request["folder"]), bool(request["private"]))


if __name__ == "__main__":
    serve(_work)
