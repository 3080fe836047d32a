"""Compares ways to train the bundled model, each for the same time: `python -m tools.trial_emoji`."""
