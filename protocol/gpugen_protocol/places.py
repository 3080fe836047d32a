"""Where gpugen keeps things on a machine. Paths only: nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import platformdirs

JUPYTER_URL = "GPUGEN_JUPYTER_URL"  # tells a kernel under which path of the page's host its Jupyter server is


def data_dir(environ: Mapping[str, str]) -> Path:
    """`GPUGEN_DATA_DIR`, or the user's data directory: database, images, models.toml, runtime file."""
    named = environ.get("GPUGEN_DATA_DIR")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("gpugen", appauthor=False))


def config_file(environ: Mapping[str, str]) -> Path:
    """`GPUGEN_CONFIG`, or `gpugen.toml` in the user's config directory."""
    named = environ.get("GPUGEN_CONFIG")
    if named:
        return Path(named).expanduser()
    return Path(platformdirs.user_config_dir("gpugen", appauthor=False)) / "gpugen.toml"


def runtime_file(data: Path) -> Path:
    """The 0600 file by which this user's programs find the private server of the data directory `data`."""
    return data / "server.json"


def token_file(data: Path) -> Path:
    """The 0600 file with the user token of the private server of `data`, while one runs."""
    return data / "user-token"


def addresses_file(data: Path) -> Path:
    """The file with every address that the private server of `data` has had, the present one last."""
    return data / "addresses"


def registry_files(environ: Mapping[str, str]) -> tuple[Path, Path]:
    """The files whose `[models.*]` tables extend the shipped registry, in order."""
    return data_dir(environ) / "models.toml", config_file(environ)


NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "sshfs", "fuse.sshfs", "afs", "afpfs", "ncpfs"}
    | {"webdav", "davfs", "fuse.davfs2", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse"}
    | {"ceph", "fuse.ceph", "fuse.glusterfs", "lustre", "beegfs", "gpfs"}
)  # where SQLite's write-ahead log does not work


def file_system(path: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """The type of the file system that holds `path`, given all (mount point, type) in order of mounting."""
    holding = [(point, kind) for point, kind in mounts if path.is_relative_to(point)]
    return max(reversed(holding), key=lambda mount: len(mount[0]), default=("", ""))[1]
