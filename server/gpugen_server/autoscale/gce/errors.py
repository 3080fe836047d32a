"""What can become of a call to the cloud: it says no, or nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from gpugen_server.autoscale.gce.trouble import Refusal, is_stock_out


class Refused(Exception):
    """The cloud said no."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__("; ".join(f"{each.code}: {each.message}" for each in refusals))
        self.refusals = refusals


class Unclear(Exception):
    """No answer, or one that does not say whether it was done: look, and ask the same again."""


@contextmanager
def in_our_words() -> Iterator[None]:
    """Inside, whatever Google's libraries raise becomes Refused or Unclear.

    Connections that cannot be made come as errors of `requests`, credentials as those of `google.auth`.
    """
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from requests import RequestException

    try:
        yield
    except DefaultCredentialsError as error:
        raise Refused(Refusal("authError", str(error), 401)) from None
    except GoogleAPICallError as error:
        refusal = _refusal(error)
        if refusal.status >= 500 and not is_stock_out(refusal.code):
            raise Unclear(f"{refusal.status} {refusal.message.rstrip('.')}") from None
        if refusal.status == HTTPStatus.PRECONDITION_FAILED:  # another one was faster: look, then ask anew
            raise Unclear(refusal.message.rstrip(".")) from None
        raise Refused(refusal) from None
    except (RetryError, RequestException, GoogleAuthError, OSError) as error:
        raise Unclear(str(error) or type(error).__name__) from None


def _refusal(error: Any) -> Refusal:
    status = int(error.code or 0)
    reasons = [each.get("reason", "") for each in error.errors if isinstance(each, dict)]
    return Refusal(next((each for each in reasons if each), str(status)), str(error.message), status)
