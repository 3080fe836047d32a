"""Trains the bundled text-to-image model `emoji`: `python -m tools.train_emoji`."""
