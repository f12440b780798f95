"""An echo endpoint of Starlette, for the ASGI servers."""

from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute


class Echo(WebSocketEndpoint):
    async def on_receive(self, websocket, data):
        if isinstance(data, bytes):
            await websocket.send_bytes(data)
        else:
            await websocket.send_text(data)

    async def decode(self, _websocket, message):
        return message["bytes"] if message.get("bytes") is not None else message["text"]


app = Starlette(routes=[WebSocketRoute("/", Echo)])
