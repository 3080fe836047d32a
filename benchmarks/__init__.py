"""Speed, measured on this machine by interleaved runs: `python -m benchmarks [NAME ...]`."""
