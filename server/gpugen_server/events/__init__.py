"""Numbered events: written once, stored, broadcast, and followed by watchers."""
