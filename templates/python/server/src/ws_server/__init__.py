"""A WebSocket echo server."""
