"""Previews through a tiny autoencoder: a real one with random weights, saved to disk."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import diffusers
import msgspec
import pytest
import torch
from PIL import Image
from tests.worker.fake_hub import FakeHub
from tests.worker.recording import Recording

from gpugen_protocol.models import Model
from gpugen_protocol.request import ResolvedRequest
from gpugen_worker import looks
from gpugen_worker.diffusion import DiffusionGenerator
from gpugen_worker.hardware import Hardware
from gpugen_worker.hub import Hub
from gpugen_worker.looks import find_look
from gpugen_worker.preview import LinearLook, preview_picture, small_jpeg
from gpugen_worker.tiny_decoder import TinyDecoder, read_tiny_decoder

CPU = Hardware("cpu", torch.float32, 8 * 2**30)


def save(folder: Path, channels: int = 4) -> Path:
    torch.manual_seed(0)
    blocks = {"encoder_block_out_channels": (4, 4, 4, 4), "decoder_block_out_channels": (4, 4, 4, 4)}
    diffusers.AutoencoderTiny(
        latent_channels=channels, num_decoder_blocks=(1, 1, 1, 1), num_encoder_blocks=(1, 1, 1, 1), **blocks
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def look(
    tiny_model: Callable[[str], Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[object, Recording]]:
    """`look(place)`: what is found for a model whose entry names that place, and what was said."""
    monkeypatch.setattr(looks, "_SLOWEST", 60.0)  # this machine may be busy

    def find(place: str) -> tuple[object, Recording]:
        model = msgspec.structs.replace(tiny_model("sd"), tiny_autoencoder=place)
        pipeline = diffusers.DiffusionPipeline.from_pretrained(model.path)
        seen = Recording()
        return find_look(model, pipeline, Hub(tmp_path / "revisions.json"), CPU, seen), seen

    return find


@pytest.mark.parametrize(
    ("size", "decoded"), [((8, 8), (3, 64, 64)), ((8, 16), (3, 64, 128)), ((128, 64), (3, 256, 128))]
)
def test_a_latent_is_decoded_at_eight_times_its_size_and_a_large_one_smaller(
    tmp_path: Path, size: tuple[int, int], decoded: tuple[int, ...]
) -> None:
    decoder = read_tiny_decoder(save(tmp_path), 4, "cpu", torch.float32)
    assert decoder(torch.randn(4, *size)).shape == decoded
    jpeg = small_jpeg(preview_picture(torch.randn(1, 4, *size), decoder))
    assert max(Image.open(io.BytesIO(jpeg)).size) == 128


def test_the_entry_of_a_model_names_the_folder(
    look: Callable[..., tuple[object, Recording]], tmp_path: Path
) -> None:
    found, seen = look(str(save(tmp_path / "tiny")))
    assert isinstance(found, TinyDecoder)
    assert not seen.logs


def test_one_for_other_latents_gives_way_to_the_linear_fit_and_the_log_says_so(
    look: Callable[..., tuple[object, Recording]], tmp_path: Path
) -> None:
    found, seen = look(str(save(tmp_path / "tiny", channels=16)))
    assert isinstance(found, LinearLook)
    ((level, message),) = seen.logs
    assert level == "info"
    assert "16 channels, not 4" in message


def test_a_folder_that_is_missing_gives_way_to_the_linear_fit(
    look: Callable[..., tuple[object, Recording]], tmp_path: Path
) -> None:
    found, seen = look(str(tmp_path / "absent"))
    assert isinstance(found, LinearLook)
    assert "Previews are coarse" in seen.logs[0][1]


def test_one_that_is_slow_on_this_machine_gives_way_to_the_linear_fit(
    look: Callable[..., tuple[object, Recording]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "_SLOWEST", 0.0)
    found, seen = look(str(save(tmp_path / "tiny")))
    assert isinstance(found, LinearLook)
    assert re.search(r"a preview takes it \d\.\d s on this cpu", seen.logs[0][1])


def test_one_of_the_hub_is_downloaded_once_and_pinned(
    look: Callable[..., tuple[object, Recording]], remote: FakeHub, tmp_path: Path
) -> None:
    remote.repositories["owner/taesd"] = save(tmp_path / "tiny")
    assert isinstance(look("owner/taesd")[0], TinyDecoder)
    downloads = list(remote.downloads)
    assert downloads
    remote.commit = "b" * 40
    assert isinstance(look("owner/taesd")[0], TinyDecoder)
    assert remote.downloads == downloads


def test_without_a_network_the_hubs_gives_way_to_the_linear_fit(
    look: Callable[..., tuple[object, Recording]], remote: FakeHub
) -> None:
    remote.close()
    assert isinstance(look("owner/taesd")[0], LinearLook)


def test_a_drawing_is_previewed_through_it(
    tiny_model: Callable[[str], Model],
    a_request: Callable[..., ResolvedRequest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tiny_model("sd")
    sharp = msgspec.structs.replace(model, tiny_autoencoder=str(save(tmp_path / "tiny")))
    monkeypatch.setattr(looks, "_SLOWEST", 60.0)
    previews = []
    for each in (model, sharp):
        seen = Recording()
        list(DiffusionGenerator((each,), data_dir=tmp_path).draw(a_request(each, steps=3), seen))
        assert len(seen.previews) == 2
        previews.append(seen.previews)
    assert previews[0] != previews[1]


def test_no_autoencoder_at_all_means_no_previews(tiny_model: Callable[[str], Model], tmp_path: Path) -> None:
    model = tiny_model("sd")
    assert find_look(model, SimpleNamespace(), Hub(tmp_path / "r.json"), CPU, Recording()) is None
