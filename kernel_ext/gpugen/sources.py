"""Images to start from: whatever somebody has at hand becomes the bytes of a file the server takes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpugen_protocol.errors import InvalidRequest, MissingExtra

LONGEST = 2048  # pixels of a side: the server takes no more


def image_bytes(source: Any) -> bytes:
    """`source` as PNG (or as it is in a file that is small enough).

    It may be a PIL image, a numpy array (height x width, or height x width x 3 or 4; whole numbers to 255, or
    fractions to 1), a former `Result` or `Task` (its first image), bytes, or the path of a file.

    Raises:
        InvalidRequest: it is none of these, or no image.
        MissingExtra: it takes Pillow, which is not installed.
    """
    if hasattr(source, "png"):  # a Result
        return bytes(source.png(0))
    if isinstance(source, str | Path):
        source = _read(Path(source).expanduser())
    image = _opened(source) if isinstance(source, bytes | bytearray) else _as_pil(source)
    if max(image.size) > LONGEST:
        image = image.copy()
        image.thumbnail((LONGEST, LONGEST))
    elif isinstance(source, bytes | bytearray) and image.format in {"PNG", "JPEG", "WEBP"}:
        return bytes(source)
    return _encoded(image)


def find(name: str, names: Mapping[str, Any]) -> Any:
    """What `name` means in a notebook: a variable of that name, else the path of a file.

    Raises:
        InvalidRequest: there is neither.
    """
    if name in names:
        return names[name]
    path = Path(name).expanduser()
    if path.is_file():
        return path
    raise InvalidRequest(
        f"There is neither a variable nor a file {name!r}.",
        hint="Name an image: PIL, numpy, a result, a file.",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"The image {path} cannot be read: {error.strerror}.") from None


def _opened(data: bytes | bytearray) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InvalidRequest(f"That is no image: {error}.") from None
    return image


def _as_pil(source: Any) -> Any:
    pillow = _pillow()
    if isinstance(source, pillow.Image):
        return source
    if hasattr(source, "images") and not hasattr(source, "__array_interface__"):  # a Task
        return source.images[0]
    if not hasattr(source, "__array_interface__"):
        raise InvalidRequest(
            f"A {type(source).__name__} is no image.", hint="Name an image: PIL, numpy, a result, a file."
        )
    try:
        return pillow.fromarray(_bytes_of(source))
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"The array is no image: {error}.", hint="Give height x width x 3.") from None


def _bytes_of(array: Any) -> Any:
    """Fractions from 0 to 1, and yes and no, become whole numbers to 255."""
    if array.dtype.kind == "b":
        return array.astype("uint8") * 255
    if array.dtype.kind == "f":
        return (array.clip(0, 1) * 255).round().astype("uint8")
    return array.astype("uint8")


def _encoded(image: Any) -> bytes:
    out = io.BytesIO()
    (image if image.mode in {"RGB", "RGBA", "L", "LA"} else image.convert("RGBA")).save(out, "PNG")
    return out.getvalue()


def _pillow() -> Any:
    try:
        import PIL.Image
    except ModuleNotFoundError:
        raise MissingExtra(
            "Starting from an image needs Pillow, which is not installed.", hint="Run: pip install pillow."
        ) from None
    return PIL.Image
