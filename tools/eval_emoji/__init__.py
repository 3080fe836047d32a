"""Measures the bundled model, draws its sheets, judges both: `python -m tools.eval_emoji`."""
