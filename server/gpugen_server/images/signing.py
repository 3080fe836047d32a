"""Signed addresses of Google Cloud Storage (V4): whoever has one may do one thing for a few minutes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any


class Signer:
    """Signs with the key of a service account, or where there is no key (on a VM), through the IAM API.

    Args:
        credentials: of google-auth.
        endpoint: the address that is signed; None is Google's.
    """

    def __init__(self, credentials: Any, endpoint: str | None = None) -> None:
        self._credentials = credentials
        self._endpoint = endpoint

    @classmethod
    def of(cls, credentials: Any) -> Signer | None:
        """One for `credentials`, if they can sign."""
        from google.auth import compute_engine
        from google.auth.credentials import Signing

        able = isinstance(credentials, Signing | compute_engine.Credentials)
        return cls(credentials) if able else None

    def sign(self, blob: Any, method: str, seconds: float, headers: dict[str, str] | None = None) -> str:
        """An address at which `blob` can be `method`-ed with exactly `headers`."""
        address: str = blob.generate_signed_url(
            version="v4",
            method=method,
            expiration=timedelta(seconds=seconds),
            headers=dict(headers or {}),  # the library adds to it
            api_access_endpoint=self._endpoint,
            **self._authority(),
        )
        return address

    def _authority(self) -> dict[str, Any]:
        from google.auth.credentials import Signing

        if isinstance(self._credentials, Signing):
            return {"credentials": self._credentials}
        from google.auth.transport.requests import Request

        if not self._credentials.valid:
            self._credentials.refresh(Request())
        return {
            "service_account_email": self._credentials.service_account_email,
            "access_token": self._credentials.token,
        }
