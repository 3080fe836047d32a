"""An image into a bucket, by an address that the server has signed. No token of ours goes there."""

from __future__ import annotations

import requests

from gpugen_protocol.errors import InvalidImage, Unavailable
from gpugen_protocol.worker import Upload

TIMEOUT = (5.0, 60.0)  # seconds to connect, seconds between two bytes
_THERE = 412  # the same image is there already: an earlier try, whose answer was lost
_PASSING = frozenset({401, 403, 408, 429})  # a fresh address may help


class OutOfReach(Unavailable):
    """No answer came from the bucket: a firewall here may be in the way, and not in the server's."""


def put(upload: Upload, png: bytes) -> None:
    """Send `png` as `upload` says.

    Raises:
        OutOfReach: no answer came.
        Unavailable: the bucket is not well, or the address is too old: ask for a fresh one.
        InvalidImage: the bucket does not take it.
    """
    with requests.Session() as session:
        session.auth = _no_auth  # else requests would look into ~/.netrc
        try:
            answer = session.request(
                upload.method,
                upload.url,
                data=png,
                headers=upload.headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException:
            raise OutOfReach("The bucket cannot be reached from here; the server may.") from None
    if answer.status_code == _THERE or answer.ok:
        return
    if answer.status_code in _PASSING or answer.status_code >= 500:
        raise Unavailable(f"The bucket answered with status {answer.status_code}.")
    raise InvalidImage(f"The bucket does not take the image: status {answer.status_code}.")


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
