"""HTTP and websocket: the only part that knows Tornado."""
