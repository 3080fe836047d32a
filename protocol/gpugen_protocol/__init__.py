"""What gpugen's programs say to each other: types, bounds, states, events, errors, addresses. No I/O."""

__version__ = "0.1.0"
