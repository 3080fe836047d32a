"""All figures of a model folder."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tools.train_emoji import autoencoder, cldr, glyphs, looks, split, vocabulary
from tools.train_emoji.captions import Captioned, Wordings
from tools.train_emoji.palette import WHITE
from tools.train_emoji.pictures import Pictures
from tools.train_emoji.scene import SIDES, SIZES, Scene, pose

from . import judge
from .artist import Artist
from .naming import Namer

CURVE_STEPS = (4, 8, 12, 16, 20)
CURVE_COUNT = 48
KEEPS_RECALL = 0.01  # how much less recall than the best still counts as kept
VARIETY_SEEDS = 6
VARIETY_EVERY = 8  # one thing in so many

PARTS = (
    "held_out",
    "new_wordings",
    "held_out_paints",
    "paints",
    "sizes",
    "sides",
    "words",
    "curve",
    "variety",
    "autoencoder",
    "machine",
)


@dataclass
class Evaluation:
    """Measures one model; every set of prompts is fixed by the seed."""

    artist: Artist
    things: tuple[vocabulary.Thing, ...]
    pictures: Pictures
    stencils: glyphs.Stencils
    seed: int

    @classmethod
    def of(cls, artist: Artist, font: Path, annotations: Path, seed: int) -> Evaluation:
        """With the things and the split of the training."""
        things = cldr.extend(vocabulary.load(), cldr.read(annotations))
        pictures = Pictures(things, looks.load(things), font)
        return cls(artist, things, pictures, glyphs.render(things, font), seed)

    def __post_init__(self) -> None:
        self.namer = Namer(self.pictures)
        self.plain = Wordings(self.things, self.pictures.looks)

    def metrics(self, parts: Sequence[str] = PARTS) -> dict[str, Any]:
        """The figures of `parts`, with the settings they hold for."""
        found: dict[str, Any] = {"steps": self.artist.steps, "guidance": self.artist.guidance}
        found["things"] = len(self.things)
        return found | {part: getattr(self, part)() for part in parts}

    def drawn(
        self, captions: Sequence[Captioned], seed: int, **settings: Any
    ) -> tuple[torch.Tensor, list[Scene]]:
        """Pictures of captions, with the scenes they should show."""
        images = self.artist.draw([each.text for each in captions], seed, **settings)
        return images, [each.scene for each in captions]

    def combinations(self, *, new_wordings: bool = False) -> list[Captioned]:
        """Things over grounds that training kept apart, shuffled."""
        found = split.held_out(self.things, self.pictures.looks, self.seed, new_wordings=new_wordings)
        random.Random(self.seed).shuffle(found)
        return found

    def held_out(self) -> dict[str, float]:
        """Recall and grounds on what training never showed, in its wordings."""
        return self.grounded(self.combinations())

    def new_wordings(self) -> dict[str, float]:
        """The same in wordings that training never used, many of their words among them."""
        return self.grounded(self.combinations(new_wordings=True))

    def grounded(self, captions: Sequence[Captioned]) -> dict[str, float]:
        """Recall, and the share of grounds in the colour that was asked for."""
        images, scenes = self.drawn(captions, 1000)
        figures = self.namer.name(images, scenes).figures()
        return figures | {"ground": judge.ground_accuracy(images, scenes)}

    def held_out_paints(self) -> dict[str, float]:
        """Recall and the things' colours on things that training never gave this colour."""
        return self.coloured(split.held_out_paints(self.things, self.pictures.looks, self.seed), 2000)

    def paints(self) -> dict[str, float]:
        """The same on two colours each that training did give them."""
        rng = random.Random(f"paints {self.seed}")
        taught = split.Sampler(self.things, self.pictures.looks, self.seed).paints
        asked = [
            Scene(thing, WHITE, paint)
            for thing, own in enumerate(taught)
            for paint in rng.sample(own[1:], min(2, len(own) - 1 if own else 0))
        ]
        captions = [Captioned(each, self.plain.caption(each, rng, name_paint=True)) for each in asked]
        return self.coloured(captions, 2500)

    def coloured(self, captions: Sequence[Captioned], seed: int) -> dict[str, float]:
        """Recall, and the share of things in the colour that was asked for."""
        images, scenes = self.drawn(captions, seed)
        named = self.namer.name(images, scenes)
        right = sum(f == scene.paint for f, scene in zip(named.paints, scenes, strict=True))
        ground = judge.ground_accuracy(images, scenes)
        return named.figures() | {"paint": right / len(scenes), "ground": ground}

    def sizes(self) -> dict[str, float]:
        """Small and large ones."""
        scenes = [replace(each, size=SIZES[1 + each.thing // 2 % 2]) for each in self.once_each()]
        images, scenes = self.drawn(self.captioned(scenes, "sizes"), 3000)
        own = self.own(scenes, images)
        right = judge.size_accuracy(images, own, self.pictures)
        return self.namer.name(images, own).figures() | {"size": right}

    def sides(self) -> dict[str, float]:
        """On the left and on the right."""
        scenes = [replace(each, side=SIDES[1 + each.thing // 2 % 2]) for each in self.once_each()]
        images, scenes = self.drawn(self.captioned(scenes, "sides"), 4000)
        right = judge.side_accuracy(images, scenes)
        return self.namer.name(images, self.own(scenes, images)).figures() | {"side": right}

    def once_each(self) -> list[Scene]:
        """Every thing, every second one over a ground that training never showed it on."""
        kept = split.split(self.things, self.pictures.looks, self.seed).grounds
        return [Scene(thing, min(kept[thing]) if thing % 2 else WHITE) for thing in range(len(self.things))]

    def captioned(self, scenes: Sequence[Scene], name: str) -> list[Captioned]:
        """The scenes in wordings of the training, their colours left open."""
        rng = random.Random(f"{name} {self.seed}")
        return [Captioned(each, self.plain.caption(each, rng, name_paint=False)) for each in scenes]

    def own(self, scenes: Sequence[Scene], images: torch.Tensor) -> list[Scene]:
        """The scenes with the colour that each thing was given, where the caption left it open."""
        paints = self.namer.name(images, scenes).paints
        return [replace(each, paint=paint) for each, paint in zip(scenes, paints, strict=True)]

    def words(self) -> dict[str, float]:
        """Every word by itself: what is drawn, and whether white is white."""
        asked = [
            (Scene(index, WHITE), word) for index, thing in enumerate(self.things) for word in thing.words
        ]
        images, scenes = self.drawn([Captioned(*each) for each in asked], 5000)
        corners = judge.darkest_corner(images)
        scenes = self.own(scenes, images)
        return self.namer.name(images, scenes).figures() | {
            "white_corners": float((corners >= 250).float().mean()),
            "median_darkest_corner": float(corners.median()),
            "sharpness": judge.sharpness(images, scenes, self.pictures),
        }

    def curve(self) -> dict[str, Any]:
        """Recall, error and sharpness by the number of steps, on part of the held-out combinations."""
        some = self.combinations()[:CURVE_COUNT]
        rows = []
        for steps in CURVE_STEPS:
            images, scenes = self.drawn(some, 1000, num_inference_steps=steps)
            figures = self.namer.name(images, scenes).figures()
            sharp = judge.sharpness(images, self.own(scenes, images), self.pictures)
            rows.append(
                {"steps": steps, "recall_1": figures["recall_1"], "rmse": figures["rmse"], "sharpness": sharp}
            )
        return {"count": len(some), "rows": rows, "fewest_steps": fewest(rows)}

    def variety(self) -> dict[str, float]:
        """How far apart the pictures of one name are by seed."""
        apart = []
        for thing in self.things[::VARIETY_EVERY]:
            apart.append(judge.variety(self.artist.draw([thing.name] * VARIETY_SEEDS, 6000)))
        return {
            "prompts": len(apart),
            "seeds": VARIETY_SEEDS,
            "apart": sum(apart) / len(apart),
            "least": min(apart),
        }

    def machine(self) -> dict[str, Any]:
        """How long a picture takes, and whether the same seed gives the same pixels."""
        same = self.artist.same_twice()
        return self.artist.speed() | {"threads": torch.get_num_threads(), "same_seed_same_pixels": same}

    def autoencoder(self) -> dict[str, float]:
        """PSNR in dB of the glyphs as the font has them, and of scenes as in training."""
        vae = self.artist.pipeline.vae
        rng = random.Random(f"scenes {self.seed}")
        sampler = split.Sampler(self.things, self.pictures.looks, self.seed)
        scenes = [sampler.scene(rng) for _ in range(len(self.things))]
        poses = [pose(each, rng, mirrored=self.pictures.looks[each.thing].mirrored) for each in scenes]
        psnr = autoencoder.measure(vae, self.stencils)
        return {
            "psnr": psnr,
            "psnr_scenes": float(autoencoder.psnr(vae, self.pictures.draw(scenes, poses)).mean()),
        }


def fewest(curve: Sequence[dict[str, float]]) -> int:
    """The fewest steps that keep the best recall of the curve."""
    best = max(row["recall_1"] for row in curve)
    return int(min(row["steps"] for row in curve if row["recall_1"] >= best - KEEPS_RECALL))


def load_seconds(folder: Path) -> float:
    """How long the folder takes to load, the libraries being loaded: the best of three."""
    found = []
    for _ in range(3):
        began = time.perf_counter()
        Artist.load(folder)
        found.append(time.perf_counter() - began)
    return min(found)


def folder_bytes(folder: Path) -> int:
    """What the folder takes on disk."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
