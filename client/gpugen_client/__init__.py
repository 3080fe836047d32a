"""Talks to a gpugen server: HTTP, websocket, and finding or starting the private server. Synchronous."""
