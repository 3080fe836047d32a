"""Images: taken from workers, given to users."""

from __future__ import annotations

import re

from gpugen_protocol import __version__
from gpugen_protocol.errors import NotFound
from gpugen_protocol.models import Model
from gpugen_protocol.recipe import Recipe
from gpugen_protocol.worker import REVISION_HEADER
from gpugen_server.images import accept, codec
from gpugen_server.images.accept import Arrival, Place
from gpugen_server.web.claims import WorkerHandler
from gpugen_server.web.handler import IMAGE_SECONDS, Handler
from gpugen_server.web.queries import ImageQuery

_REVISION = re.compile(r"[0-9A-Za-z._-]{1,64}")
_FOR_EVER = "private, max-age=31536000, immutable"
_FOR_NOW = "private, no-cache"  # to be asked for again, with its ETag


class LeaseImage(WorkerHandler):
    """`/worker/leases/{lease}/images/{index}`."""

    body_seconds = IMAGE_SECONDS

    async def admit(self) -> None:
        """The task says how large the image may be."""
        self.index = _number(self.path_kwargs["index"])
        self.place = await self.services.database.run(
            accept.expect, self.path_kwargs["lease"], self.worker, self.index
        )
        self.max_body = codec.max_upload(self.place.request.width, self.place.request.height)

    async def put(self, lease: str, index: str) -> None:
        """Check, encode anew, keep."""
        services = self.services
        encoded = await services.off_loop(services.decoders.encode, self.body(), self._recipe(self.place))
        file = await services.off_loop(
            services.images.write, self.place.task, self.index, self.place.attempt, encoded.png
        )
        arrival = Arrival(lease, self.worker, self.index, encoded, file)
        useless = [file]
        try:
            held, useless = await services.database.run(
                accept.accept, arrival, services.settings.lease_seconds
            )
        finally:
            await services.off_loop(services.images.remove, useless)
        self.answer(await self.beat(held))

    def _recipe(self, place: Place) -> Recipe:
        request = place.request
        model = self.services.registry.models.get(request.model)
        return Recipe(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            model=request.model,
            revision=self._revision(model),
            width=request.width,
            height=request.height,
            steps=request.steps,
            guidance=request.guidance,
            scheduler=request.scheduler,
            seed=request.seeds[self.index],
            n=request.n,
            index=self.index,
            init_image=request.init_image,
            mask_image=request.mask_image,
            strength=request.strength,
            task=place.task,
            gpugen=__version__,
            reported=place.reported,
        )

    def _revision(self, model: Model | None) -> str:
        """Of which weights the image is: as pinned by the registry, else as the worker says."""
        said = self.request.headers.get(REVISION_HEADER, "")
        if model and model.revision:
            return model.revision
        return said if _REVISION.fullmatch(said) else ""


class TaskImage(Handler):
    """`/tasks/{id}/images/{index}`."""

    role = "user"
    etag: str | None = None

    async def get(self, id: str, index: str) -> None:
        """The PNG, or a smaller one."""
        asked, services = self.query(ImageQuery), self.services
        stored = await services.database.run(accept.find, id, self.principal.owner, _number(index))
        self.etag = f'"{stored.sha256}-{asked.thumbnail or "full"}"'
        self.set_header("Cache-Control", _FOR_EVER if stored.final else _FOR_NOW)
        self.set_header("Etag", self.etag)
        if self.check_etag_header():
            self.set_status(304)
            return
        png = await services.off_loop(services.images.read, stored.file)
        if asked.thumbnail:
            png = await services.off_loop(services.decoders.thumbnail, png, asked.thumbnail)
        self.set_header("Content-Type", "image/png")
        self.finish(png)

    def compute_etag(self) -> str | None:
        """The name of the content."""
        return self.etag


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise NotFound(f"Images are counted from 0; there is no image {text}.")
    return int(text)
