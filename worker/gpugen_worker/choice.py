"""Which models this worker offers to draw with, and where their files lie."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from gpugen_protocol.errors import Misconfigured
from gpugen_protocol.models import Model, Registry, parse_registry
from gpugen_protocol.places import registry_files


def read_registry(environ: Mapping[str, str]) -> Registry:
    """The shipped registry with the user's own files over it.

    Raises:
        Misconfigured: a file cannot be read or is not valid.
    """
    texts = {}
    for path in registry_files(environ):
        try:
            texts[str(path)] = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"The model registry {path} cannot be read: {error}.") from None
    return parse_registry(texts)


def choose_models(registry: Registry, only: str, *, offline: bool) -> tuple[Model, ...]:
    """The models named in `only` (separated by commas), or all whose files can be had.

    Args:
        registry: every model by name.
        only: empty for all.
        offline: whether a Hub model must already be in the cache.

    Raises:
        UnknownModel: a name in `only` is not in the registry.
        Misconfigured: the folder of a model in `only` does not exist.
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    if names:
        return tuple(_present(registry.get(name)) for name in names)
    return tuple(model for model in registry.models.values() if _can_be_had(model, offline))


def local_folder(model: Model) -> Path | None:
    """The folder of a model that is bundled or lies on this machine; None for one of the Hub."""
    if model.bundled:
        return Path(str(files("gpugen_worker"))) / "models" / model.bundled
    return Path(model.path).expanduser() if model.path else None


def present_folder(model: Model) -> Path | None:
    """The folder of a model whose files are on this machine, also in the Hub's cache; None for others."""
    folder = local_folder(model)
    if folder is not None:
        return folder if folder.is_dir() else None
    index = _cached_index(model)
    return None if index is None else index.parent


def _present(model: Model) -> Model:
    folder = local_folder(model)
    if folder is not None and not folder.is_dir():
        raise Misconfigured(
            f"The folder of the model {model.name} does not exist: {folder}",
            hint="Mend its `path` in models.toml, or leave the model out.",
        )
    return model


def _can_be_had(model: Model, offline: bool) -> bool:
    folder = local_folder(model)
    if folder is not None:
        return bool(model.bundled) or folder.is_dir()
    return not offline or _cached_index(model) is not None


def _cached_index(model: Model) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model.repository, "model_index.json", revision=model.revision or None)
    return Path(found) if isinstance(found, str) else None
