"""Models of the Hugging Face Hub: downloaded once, pinned to a commit, then usable offline.

Not tried against the real Hub; the refusals are mapped from the errors that huggingface_hub documents.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from gpugen_protocol.models import Model
from gpugen_worker.download import followed_download
from gpugen_worker.folder import check_folder
from gpugen_worker.generator import DrawingFailed, Observer

# The HTTPError of whichever httpx huggingface_hub was built on: 2.4 uses a fork of it.
_HTTPError: type[BaseException] = HfHubHTTPError.__mro__[1]


class Hub:
    """Snapshots of repositories.

    Args:
        revisions: the JSON file that records the commit of the first download of each unpinned repository.
    """

    def __init__(self, revisions: Path) -> None:
        self._revisions = revisions

    def folder(self, model: Model, observer: Observer) -> Path:
        """The local snapshot of `model` at its commit; what is missing is downloaded.

        Raises:
            DrawingFailed: model_gated, model_missing, model_incomplete or storage_full.
            Interrupted: the observer said so; what has arrived is kept for the next time.
        """
        try:
            commit = model.revision or self._commit(model.repository)
            observer.phase("loading", f"Fetching {model.name}", repository=model.repository, revision=commit)
            with followed_download(model.name, observer):
                folder = self._snapshot(model, commit)
        except (OSError, ValueError, _HTTPError) as error:
            raise _explain(model, error) from None
        if not model.revision:
            self._record(model.repository, folder.name)
        return folder

    def part(self, repository: str) -> Path:
        """The local snapshot of a repository that holds one small model, pinned as `folder` does it.

        Raises:
            DrawingFailed: it cannot be had; `message` says why.
        """
        wanted = ["config.json", "diffusion_pytorch_model.safetensors"]
        try:
            commit = self._commit(repository)
            try:
                path = snapshot_download(
                    repository, revision=commit, allow_patterns=wanted, local_files_only=True
                )
            except LocalEntryNotFoundError:
                path = snapshot_download(repository, revision=commit, allow_patterns=wanted)
        except (OSError, ValueError, _HTTPError) as error:
            raise DrawingFailed("model_missing", _first_line(error)) from None
        self._record(repository, commit)
        return Path(path)

    def _commit(self, repository: str) -> str:
        return self._recorded(repository) or self._newest(repository)

    def _snapshot(self, model: Model, commit: str) -> Path:
        """From the cache alone where it holds everything; the network is asked only for what is missing."""
        try:
            folder = self._download(model, commit, local_files_only=True)
            check_folder(model.name, folder, model.variant)
        except (DrawingFailed, OSError, ValueError):
            return self._download(model, commit, local_files_only=False)
        return folder

    def _download(self, model: Model, commit: str, *, local_files_only: bool) -> Path:
        """Only the files that the pipeline reads, none of them a pickle."""
        from diffusers import DiffusionPipeline

        return Path(
            DiffusionPipeline.download(
                model.repository,
                revision=commit,
                variant=model.variant or None,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=local_files_only,
            )
        )

    def _newest(self, repository: str) -> str:
        """The commit that `main` points at; without a network the one in the cache."""
        try:
            return HfApi().model_info(repository, timeout=15).sha or "main"
        except (GatedRepoError, RepositoryNotFoundError):
            raise
        except (OSError, _HTTPError):
            return Path(snapshot_download(repository, local_files_only=True)).name

    def _recorded(self, repository: str) -> str:
        return self._read().get(repository, "")

    def _record(self, repository: str, commit: str) -> None:
        recorded = self._read()
        if repository in recorded:
            return
        recorded[repository] = commit
        self._revisions.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._revisions.with_suffix(f".{os.getpid()}.tmp")
        scratch.write_text(json.dumps(recorded, indent=1, sort_keys=True), encoding="utf-8")
        scratch.replace(self._revisions)

    def _read(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._revisions.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError):
            raise DrawingFailed(
                "error",
                f"{self._revisions} cannot be read.",
                hint="It records which commit of each model is used: mend it, or remove it to pin anew.",
            ) from None


def _explain(model: Model, error: BaseException) -> DrawingFailed:
    """The sentence for a download that did not work."""
    if isinstance(error, GatedRepoError):
        return DrawingFailed(
            "model_gated",
            f"{model.repository} asks for a login and an accepted licence.",
            hint=f"Accept it at https://huggingface.co/{model.repository}, then set HF_TOKEN for the worker.",
        )
    if isinstance(error, RevisionNotFoundError | RepositoryNotFoundError):
        return DrawingFailed(
            "model_missing",
            f"The Hub has no {model.source}, or hides it from this worker.",
            hint="Look at the name in models.toml; a private repository needs HF_TOKEN.",
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return DrawingFailed(
            "storage_full",
            f"The disk is too full to download {model.name}.",
            hint="Free some space, or move the cache with HF_HOME.",
        )
    if "safetensors" in str(error):
        return DrawingFailed(
            "model_not_safetensors",
            f"{model.repository} has no safetensors weights; other formats can run code.",
            hint="Choose a repository that has them.",
        )
    if isinstance(error, LocalEntryNotFoundError | ConnectionError | _HTTPError):
        return DrawingFailed(
            "model_missing",
            f"{model.name} is not in this machine's cache and the Hub cannot be reached.",
            hint="Connect the worker to the network, or copy the model and name its folder as `path`.",
            retryable=True,
        )
    return DrawingFailed(
        "model_incomplete",
        f"{model.name} could not be downloaded: {_first_line(error)}",
        hint="Try again: a download that was cut off goes on where it stopped.",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
