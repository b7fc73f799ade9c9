"""What a data set's repository on the Hub holds at one commit: its card, and its files page by page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from medgan.errors import HubError
from medgan.hub.child import say
from medgan.hub.download import Way
from medgan.hub.failures import Target, not_a_hub
from medgan.hub.layout import Entry

MOST_LISTED = 200_000
"""Files that a repository may hold."""
LARGEST_ANSWER = 20_000_000
"""Bytes of one page of a listing."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = {"git": re.compile(r"[0-9a-f]{40}"), "sha256": re.compile(r"[0-9a-f]{64}")}


@dataclass(frozen=True)
class Repository:
    """The data set at one commit."""

    commit: str
    card: Mapping[str, Any]
    target: Target
    way: Way

    @property
    def licence(self) -> str:
        """What the card says, in a few printable words; "" if it says nothing."""
        said = self.card.get("license")
        words = said if isinstance(said, list) else [said] if said else []
        return re.sub(r"[^\w .,:;()/+-]", "", ", ".join(map(str, words)))[:80]

    def url(self, path: str) -> str:
        """Where a file is downloaded."""
        return f"{self.target.endpoint}/datasets/{self.target.repo}/resolve/{self.commit}/{quote(path)}"


def look(target: Target, patience: float) -> Repository:
    """Which commit is meant, and what the card says."""
    from huggingface_hub import get_session, get_token, hf_raise_for_status

    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    way = Way(get_session(), target, hf_raise_for_status, patience, headers)
    revision = f"/revision/{quote(target.revision, safe='')}" if target.revision else ""
    about, _ = _json(f"{target.endpoint}/api/datasets/{target.repo}{revision}", way)
    commit = about.get("sha") if isinstance(about, dict) else None
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise HubError(not_a_hub(target))
    card = about.get("cardData")
    return Repository(commit, card if isinstance(card, dict) else {}, target, way)


def _json(url: str, way: Way) -> tuple[Any, str | None]:
    """An answer of the hub's API, and the address of the next page."""
    data = b""
    with way.client.stream("GET", url, headers=dict(way.headers), timeout=way.patience) as response:
        way.check(response)
        for piece in response.iter_bytes():
            data += piece
            if len(data) > LARGEST_ANSWER:
                raise HubError(not_a_hub(way.target))
        following = response.links.get("next", {}).get("url")
    try:
        return json.loads(data), _beside(url, following, way.target)
    except (ValueError, RecursionError) as error:
        raise HubError(not_a_hub(way.target)) from error


def _beside(url: str, following: str | None, target: Target) -> str | None:
    """The next page, which must lie on the same server: the token is sent there. Mirrors answer with the
    address of the hub that they copy, so only path and query are taken."""
    if following is None:
        return None
    parts = urlsplit(urljoin(url, following))
    base = urlsplit(target.endpoint)
    path = parts.path if parts.path.startswith(base.path) else base.path + parts.path
    return parts._replace(scheme=base.scheme, netloc=base.netloc, path=path).geturl()


def entries_of(repository: Repository) -> Iterator[Entry]:
    """All files of the repository, page by page."""
    target, listed = repository.target, 0
    url: str | None = f"{target.endpoint}/api/datasets/{target.repo}/tree/{repository.commit}?recursive=true"
    while url is not None:
        page, url = _json(url, repository.way)
        say(beat=1)
        if not isinstance(page, list) or (not page and url):
            raise HubError(not_a_hub(target))
        listed += len(page)
        if listed > MOST_LISTED:
            raise HubError(f"{target.repo} holds more than {MOST_LISTED:,} files; choose a smaller data set.")
        yield from (entry for value in page if (entry := _entry(value, target)))


def _entry(value: Any, target: Target) -> Entry | None:
    """A file of a listing; None for a folder."""
    try:
        if value["type"] != "file":
            return None
        lfs = value.get("lfs")
        digest = ("sha256", str(lfs["oid"])) if lfs else ("git", str(value["oid"]))
        value["path"].encode()  # half of a character is no text, and cannot be asked for
        entry = Entry(value["path"], int(lfs["size"] if lfs else value["size"]), digest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HubError(not_a_hub(target)) from error
    inside = all(part not in ("", ".", "..") for part in entry.path.split("/"))  # as in every tree of git
    if not inside or entry.size < 0 or not _DIGEST[digest[0]].fullmatch(digest[1]):
        raise HubError(not_a_hub(target))
    return entry
