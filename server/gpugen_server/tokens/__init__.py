"""Tokens: who may do what. Only their SHA-256 is stored."""

from gpugen_server.tokens.issue import OPERATOR, issue
from gpugen_server.tokens.keeper import create, listing, open_session, revoke

__all__ = ["OPERATOR", "create", "issue", "listing", "open_session", "revoke"]
