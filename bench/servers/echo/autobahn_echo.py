"""The echo server of the documentation of Autobahn|Python, on asyncio."""

import asyncio
import sys

from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol


class Echo(WebSocketServerProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)


async def main():
    factory = WebSocketServerFactory()
    factory.protocol = Echo
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
