"""What went wrong on the way to the Hub, in one sentence that says what to do.

Nothing that a server or the client library wrote is quoted, but for the reason of a refused connection:
such texts can hold addresses with passwords, or the token.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LOG_IN = "log in with `hf auth login` or set HF_TOKEN"
AGAIN = "Try again in a few minutes."


@dataclass(frozen=True)
class Target:
    """What is being pulled from where, or pushed (`upload`); `revision` is what the user asked for, `kind`
    what is in it, `variable` the environment's name for `endpoint`, and `token` one that was typed; without
    one the login of this machine is used, but not where `login` is false: it is somebody else's."""

    repo: str
    revision: str | None
    endpoint: str
    kind: str = "model"
    variable: str = "HF_ENDPOINT"
    token: str = field(default="", repr=False)
    upload: bool = False
    login: bool = True

    @property
    def log_in(self) -> str:
        """What to do where the server wants to know who asks."""
        return LOG_IN if self.login else "give a token of your own"

    @property
    def way(self) -> str:
        """`download from the.hub`, or `upload to the.hub`."""
        return f"{'upload to' if self.upload else 'download from'} {self.host}"

    @property
    def host(self) -> str:
        """The server as people know it, without a password that may stand in the address."""
        parts = urlsplit(self.endpoint)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def explain(error: BaseException, target: Target) -> str | None:
    """A sentence for an exception of huggingface_hub, its HTTP client or the disk; None for a bug."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if isinstance(error, LocalEntryNotFoundError):  # hides the reason in its cause
        return explain(error.__cause__, target) if error.__cause__ else _broke_off(target)
    if isinstance(error, HfHubHTTPError):
        return _refused(error, target)
    sentence = _unreachable(error, target)
    if sentence is None and isinstance(error, OSError):
        # Without a number it is huggingface_hub's own check of the size.
        return _broke_off(target) if error.errno is None else disk_trouble(error)
    return sentence


def explain_upload(error: BaseException, target: Target) -> str | None:
    """A sentence for a server that did not take an upload; None for all else."""
    from huggingface_hub.errors import HfHubHTTPError

    if not isinstance(error, HfHubHTTPError):
        return None
    host, repo = target.host, target.repo
    status = getattr(getattr(error, "response", None), "status_code", 0)
    if status == 401:
        return f"{host} does not know you; {LOG_IN}, with a token that may write."
    if status in (403, 404):
        return (
            f"{host} does not let you write to {repo}; take a name of your own, and a token that may write."
        )
    if status in (402, 413, 507):
        return f"{host} has no room for {repo} (HTTP {status}); make room there, or upload less."
    return trouble(status, target) or f"{host} refused the upload to {repo} (HTTP {status})."


def unusable(target: Target, reason: str) -> str:
    """For a repository whose files are all there, but are not what this version can load."""
    return f"{target.repo} holds no model that this MedGAN can use: {reason}"


def disk_full(needed: int, free: int, kind: str = "model") -> str:
    """For a disk on which what is pulled and its copy in the cache have no room."""
    return (
        f"Pulling this {kind} takes {size(needed)} on the disk, and {size(free)} are free; "
        "free some space, or set MEDGAN_HOME to a folder on another disk."
    )


def disk_trouble(error: OSError) -> str:
    """For a workspace that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full; free some space, or set MEDGAN_HOME to a folder on another disk."
    return f"The workspace cannot be written ({error.strerror}); check MEDGAN_HOME and its permissions."


def size(count: int) -> str:
    """Bytes as people write them: `3.1 MB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.1f} kB"


def _refused(error: BaseException, target: Target) -> str:
    """The server answered, with a refusal."""
    from huggingface_hub import errors

    repo, host = target.repo, target.host
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{repo} is gated: ask for access on its page at {host} with your account, then {target.log_in}."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"There is no repository {repo} on {host}, or it is private: check its name, or {target.log_in}."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repo} has no revision {target.revision!r}; leave it out to get the newest."
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return f"A file of {repo} disappeared during the download. {AGAIN}"
    if isinstance(error, errors.DisabledRepoError):
        return f"{host} has disabled {repo}; choose another {target.kind}."
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return _status(status, target)


def _status(status: int, target: Target) -> str:
    host = target.host
    if status == 401:
        return f"{host} refuses your token; {target.log_in}, with another one."
    if status == 403:
        return f"{host} does not let you read {target.repo}; {target.log_in}, as somebody who may."
    return trouble(status, target) or f"{host} refused the download of {target.repo} (HTTP {status})."


def trouble(status: int, target: Target) -> str | None:
    """For a server that cannot just now, whatever it was asked; None for any other status."""
    if status == 429:
        return f"{target.host} has had too many requests from here. {AGAIN}"
    if status >= 500:
        return f"{target.host} has trouble of its own (HTTP {status}). {AGAIN}"
    return None


def _unreachable(error: BaseException, target: Target) -> str | None:
    """No sensible answer came."""
    import httpx2
    from huggingface_hub.errors import FileMetadataError, OfflineModeIsEnabled

    host = target.host
    if isinstance(error, OfflineModeIsEnabled):
        what = "pushed" if target.upload else "pulled"
        return f"HF_HUB_OFFLINE is set, so nothing is {what}; unset it to go online."
    if isinstance(error, httpx2.TimeoutException):
        return f"{host} is silent. {AGAIN}"
    if isinstance(error, httpx2.ProxyError):
        return "The proxy refused the connection; check HTTPS_PROXY."
    if isinstance(error, httpx2.ConnectError):
        return f"{host} cannot be reached ({error}); check the network, and {target.variable} if it is set."
    if isinstance(error, FileMetadataError):
        return not_a_hub(target)
    if isinstance(error, UnicodeError | httpx2.LocalProtocolError):
        return f"Your token holds characters that no token has; {target.log_in}, as it was shown to you."
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        return f"{target.variable} names no server that can be reached ({host}); unset it."
    return _broke_off(target) if isinstance(error, httpx2.HTTPError) else None


def not_a_hub(target: Target) -> str:
    """For an answer without what every hub says: a login page of a network, a wrong address."""
    return (
        f"{target.host} does not answer like a Hugging Face hub; check HF_ENDPOINT, the proxy, and "
        "whether this network wants a login first."
    )


def refused(status: int, name: str, target: Target) -> str:
    """For a server that is no hub and does not hand out the file `name`."""
    if status in (404, 410):
        return f"{target.host} has no file {name} (HTTP {status}); check {target.variable} if it is set."
    if status in (401, 403):
        return (
            f"{target.host} does not hand out {name} (HTTP {status}); check {target.variable} if it is set."
        )
    return _status(status, target)


def not_a_file(name: str, target: Target) -> str:
    """For a web page where a file was asked for: the login page of a network, a wrong address."""
    return (
        f"{target.host} sent a web page instead of {name}; check {target.variable}, the proxy, and whether "
        "this network wants a login first."
    )


def restless(target: Target) -> str:
    """For a connection that never lasts."""
    return f"The {target.way} breaks off again and again; try another network."


def _broke_off(target: Target) -> str:
    return f"The {target.way} broke off. {AGAIN}"
