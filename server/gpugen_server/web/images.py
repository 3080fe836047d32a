"""Images: taken from workers, given to users."""

from __future__ import annotations

import re

from gpugen_protocol import __version__
from gpugen_protocol.errors import BodyTooLarge, InvalidImage, NotFound
from gpugen_protocol.models import Model
from gpugen_protocol.recipe import Recipe
from gpugen_protocol.worker import REVISION_HEADER, VIA_HEADER, UploadRequest
from gpugen_server.images import accept, codec
from gpugen_server.images.accept import Arrival, Place
from gpugen_server.images.storage import Quarantine, Slot
from gpugen_server.queue.lease import Held
from gpugen_server.web.claims import WorkerHandler
from gpugen_server.web.handler import IMAGE_SECONDS, Handler
from gpugen_server.web.queries import ImageQuery

_REVISION = re.compile(r"[0-9A-Za-z._-]{1,64}")
_FOR_EVER = "private, max-age=31536000, immutable"
_FOR_NOW = "private, no-cache"  # to be asked for again, with its ETag


class _Arrivals(WorkerHandler):
    """What the ways for an image to arrive share."""

    index: int
    place: Place

    async def expect(self, lease: str, index: int) -> None:
        """The task says what the image must be, and how large it may be."""
        self.index = index
        self.place = await self.services.database.run(accept.expect, lease, self.worker, index)
        self.largest = codec.max_upload(self.place.request.width, self.place.request.height)
        self.slot = Slot(self.place.task, index, self.place.attempt)

    def quarantine(self) -> Quarantine:
        """Where workers put images by themselves.

        Raises:
            NotFound: there is no such place.
        """
        found = self.services.images.quarantine
        if found is None:
            raise NotFound("This server takes the images itself.", hint="PUT .../images/{index}.")
        return found

    async def take(self, lease: str, data: bytes) -> Held:
        """Check, encode anew, keep."""
        services, place = self.services, self.place
        encoded = await services.off_loop(services.decoders.encode, data, self._recipe(place))
        file = await services.at_storage(
            services.images.write, place.task, self.index, place.attempt, encoded.png
        )
        arrival = Arrival(lease, self.worker, self.index, encoded, file)
        useless = [file]
        try:
            held, useless = await services.database.run(
                accept.accept, arrival, services.settings.lease_seconds
            )
        finally:
            await services.at_storage(services.images.remove, useless)
        return held

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


class LeaseImage(_Arrivals):
    """`/worker/leases/{lease}/images/{index}`."""

    body_seconds = IMAGE_SECONDS

    async def expect_body(self) -> None:
        """How large it may be, before anything is read."""
        await self.expect(self.holes["lease"], _number(self.holes["index"]))
        self.max_body = self.largest

    async def put(self, lease: str, index: str) -> None:
        """The image itself."""
        self.answer(await self.beat(await self.take(lease, self.body())))


class LeaseUploads(_Arrivals):
    """`/worker/leases/{lease}/uploads`."""

    async def post(self, lease: str) -> None:
        """Where in the bucket to put an image; asked again, it is a fresh address of the same place."""
        await self.expect(lease, self.read(UploadRequest).index)
        upload = self.quarantine().upload
        self.answer(await self.services.at_storage(upload, self.slot, self.largest))


class LeaseUploaded(_Arrivals):
    """`/worker/leases/{lease}/images/{index}/uploaded`."""

    async def post(self, lease: str, index: str) -> None:
        """The image is in the bucket: fetch it there, and go on as if it had been sent here."""
        await self.expect(lease, _number(index))
        quarantine, services = self.quarantine(), self.services
        held = await services.database.run(accept.here, lease, self.worker, self.index)
        if held is None:
            held = await self._fetch_and_take(lease, quarantine)
        self.answer(await self.beat(held))

    async def _fetch_and_take(self, lease: str, quarantine: Quarantine) -> Held:
        """What is refused is dropped, so that it may be sent anew; what is not kept by our fault stays."""
        services = self.services
        try:
            data = await services.at_storage(quarantine.fetch, self.slot, self.largest)
            held = await self.take(lease, data)
        except (BodyTooLarge, InvalidImage):
            await services.at_storage(quarantine.discard, self.slot)
            raise
        await services.at_storage(quarantine.discard, self.slot)
        return held


class TaskImage(Handler):
    """`/tasks/{id}/images/{index}`."""

    role = "user"

    async def get(self, id: str, index: str) -> None:
        """The PNG, or a smaller one."""
        asked, services = self.query(ImageQuery), self.services
        stored = await services.database.run(accept.find, id, self.principal.owner, _number(index))
        tag = f'"{stored.sha256}-{asked.thumbnail or "full"}"'
        known = self.is_known(tag)
        if not known and await self._redirected(stored.file, asked):
            return
        self.headers["Cache-Control"] = _FOR_EVER if stored.final else _FOR_NOW
        self.headers["ETag"] = tag
        if known:
            self.status = 304
            return
        png = await services.at_storage(services.images.read, stored.file)
        if asked.thumbnail:
            png = await services.off_loop(services.decoders.thumbnail, png, asked.thumbnail)
        self.send(png, "image/png")

    async def _redirected(self, file: str, asked: ImageQuery) -> bool:
        """To the bucket, for a few minutes, unless a smaller image or the bytes themselves are asked for."""
        if asked.thumbnail or self.request.headers.get(VIA_HEADER) == "server":
            return False
        link = await self.services.at_storage(self.services.images.link, file)
        if link is None:
            return False
        self.status = 302
        self.headers["Location"] = link
        return True


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise NotFound(f"Images are counted from 0; there is no image {text}.")
    return int(text)
