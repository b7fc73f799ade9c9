"""Hugging Face Jobs, and the private data set through which a job and this machine exchange files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medgan.errors import HubError
from medgan.hub.failures import LOG_IN, Target, explain, explain_upload, trouble
from medgan.hub.transfer import HUGGING_FACE, is_address

PATIENCE = 60.0
"""Seconds for the Hub to go on answering; the client itself would wait for ever."""
KIND = "dataset"


@dataclass(frozen=True)
class Hardware:
    """What a job may run on: its name, in words, and what it costs in dollars a `unit`."""

    name: str
    title: str
    dollars: float
    unit: str
    gpu: bool


class NoJob(HubError):
    """The Hub knows no such job (any more), or not for whoever asks."""


class JobsHub:
    """The Hub as `HF_ENDPOINT` names it, for whoever is logged in there. HubError with a sentence where it
    does not do what it is asked."""

    def __init__(self) -> None:
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # plain HTTP, as for all transfers
        from huggingface_hub import HfApi, set_client_factory
        from huggingface_hub.utils.tqdm import disable_progress_bars

        address = (os.environ.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/")
        if not is_address(address):
            raise HubError(
                "HF_ENDPOINT is not the address of a hub; unset it, or write it as https://server."
            )
        set_client_factory(_client)
        disable_progress_bars()  # a commit a minute; they would fill the logs
        self._api = HfApi(endpoint=address)
        self._target = Target("", None, address, kind=KIND)

    @property
    def host(self) -> str:
        """The server as people know it."""
        return self._target.host

    def token(self) -> str:
        """The token of whoever is logged in; empty if nobody is."""
        from huggingface_hub import get_token

        return get_token() or ""

    def account(self) -> str:
        """Whose token it is."""
        with self._explained():
            return str(self._api.whoami(cache=True)["name"])

    def hardware(self) -> list[Hardware]:
        """What there is, and its price."""
        with self._explained():
            return [
                Hardware(h.name, h.pretty_name, h.unit_cost_usd, h.unit_label, h.accelerator is not None)
                for h in self._api.list_jobs_hardware()
            ]

    def run(self, *, owner: str, repo: str, mount: str, **job: Any) -> str:
        """Start a job of `owner` that sees the data set `repo` at `mount`, with the token as its secret;
        returns its id."""
        from huggingface_hub import Volume

        volumes = [Volume(type=KIND, source=repo, mount_path=mount)]
        with self._explained():
            secrets = {"HF_TOKEN": self.token()}
            return self._api.run_job(namespace=owner, volumes=volumes, secrets=secrets, **job).id

    def stage(self, owner: str, job: str) -> str:
        """How far the job is, in the Hub's word."""
        with self._explained():
            return str(self._api.inspect_job(job_id=job, namespace=owner).status.stage)

    def cancel(self, owner: str, job: str) -> None:
        """End it."""
        with self._explained():
            self._api.cancel_job(job_id=job, namespace=owner)

    def log(self, owner: str, job: str, lines: int) -> list[str]:
        """The last lines that it printed."""
        with self._explained():
            return list(self._api.fetch_job_logs(job_id=job, namespace=owner, tail=lines))

    def create(self, repo: str) -> None:
        """Make the private data set `repo`; it may be there already, but not where everybody sees it: the Hub
        ignores the wish for a private one then."""
        with self._explained(repo):
            self._api.create_repo(repo, repo_type=KIND, private=True, exist_ok=True)
            private = self._api.repo_info(repo, repo_type=KIND).private
        if not private:
            raise HubError(
                f"{repo} is public: everybody would see the images. Make it private on its page at "
                f"{self.host}, then start again."
            )

    def put(self, repo: str, files: Mapping[str, Path | bytes], delete: Sequence[str] = ()) -> None:
        """One commit: `files` by their path in `repo`, and the paths that go."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations: list[Any] = [CommitOperationDelete(path) for path in delete]
        operations += [CommitOperationAdd(path, content) for path, content in files.items()]
        with self._explained(repo):
            self._api.create_commit(repo, operations, repo_type=KIND, commit_message="MedGAN")

    def listing(self, repo: str) -> tuple[str, dict[str, str]]:
        """The newest commit, and its files with a name of their content each."""
        from huggingface_hub.hf_api import RepoFile

        with self._explained(repo):
            commit = str(self._api.repo_info(repo, repo_type=KIND).sha)
            tree = self._api.list_repo_tree(repo, recursive=True, revision=commit, repo_type=KIND)
            return commit, {f.path: f.blob_id for f in tree if isinstance(f, RepoFile)}

    def fetch(self, repo: str, commit: str, path: str, mirror: Path) -> Path:
        """Download one file of that commit to its path below `mirror`."""
        with self._explained(repo):
            found = self._api.hf_hub_download(
                repo, path, revision=commit, repo_type=KIND, local_dir=str(mirror)
            )
        return Path(found)

    @contextmanager
    def _explained(self, repo: str = "") -> Iterator[None]:
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

        target = Target(repo, None, self._target.endpoint, kind=KIND)
        try:
            yield
        except LocalTokenNotFoundError as error:
            raise HubError(f"Nobody is logged in to {target.host}; {LOG_IN}.") from error
        except HFValidationError as error:
            raise HubError(f"{repo!r} is no name that {target.host} takes for a data set.") from error
        except HfHubHTTPError as error:
            status = getattr(getattr(error, "response", None), "status_code", 0)
            said = explain_upload(error, target) if repo else None
            kind = NoJob if status == 404 and not repo else HubError
            raise kind(said or _no_job(status, target)) from error
        except (httpx2.HTTPError, OSError, UnicodeError) as error:
            sentence = explain(error, target)
            if sentence is None:
                raise
            raise HubError(sentence) from error


def _no_job(status: int, target: Target) -> str:
    """The Hub did not do what was asked about jobs."""
    if status == 401:
        return f"{target.host} does not know you; {LOG_IN}."
    if status == 402:
        return (
            f"Your account at {target.host} has no credit for jobs; add some in its settings, under Billing."
        )
    if status == 403:
        return (
            f"{target.host} lets you start no jobs: it takes a token with that permission (job.write), and "
            "an account with Pro or credit."
        )
    if status == 404:
        return f"{target.host} has no such job (any more)."
    return trouble(status, target) or (
        f"{target.host} did not take the job (HTTP {status}); check the hardware's name and the hours."
    )


def _client() -> Any:
    from huggingface_hub.utils._http import default_client_factory

    client = default_client_factory()
    client.timeout = PATIENCE
    return client
