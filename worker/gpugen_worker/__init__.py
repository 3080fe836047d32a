"""Draws: pulls tasks over HTTP, runs them with diffusers, uploads the images."""
