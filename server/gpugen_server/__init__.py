"""The light server: API, queue, live updates, images."""
