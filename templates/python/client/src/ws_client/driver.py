"""Lets another program use the client, with JSON lines on stdin and stdout.

`python -m ws_client.driver <url>` takes commands and prints what an application sees;
`websocket-skill test --role client` holds the client to its promises with it.

Commands: `{"command":"join","name":"lobby"}`, `leave`, `{"command":"publish","name":"lobby",
"data":"hi","key":"k1"}`, `{"command":"token","token":"…"}` (the answer to the event `token`) and
`close`. The environment variable CLIENT_OPTIONS holds options as JSON, as the TypeScript client
names them.
"""

import asyncio
import json
import os
import re
import sys
from dataclasses import fields
from typing import Any

# #if chat
from .chat import ChatClient
# #endif
# #if live
from .live_updates import LiveUpdatesClient
# #endif
from .messages import (
    # #if live
    Change,
    # #endif
    # #if chat
    ChatMessage,
    # #endif
    ClientError,
    Joined,
    Recovered,
    Refused,
    # #if live
    Removed,
    # #endif
    # #if pubsub
    TopicEvent,
    # #endif
)
from .options import Options
# #if pubsub
from .pubsub import PubsubClient
# #endif

# Per type: the client, what joins, and what publishes.
KINDS: dict[str, tuple[Any, Any, Any]] = {
    # #if chat
    "chat": (ChatClient, ChatClient.join, lambda _, room, __, text: room.send(text)),
    # #endif
    # #if live
    "live-updates": (LiveUpdatesClient, LiveUpdatesClient.watch, None),
    # #endif
    # #if pubsub
    "pubsub": (
        PubsubClient,
        PubsubClient.subscribe,
        lambda client, _, topic, data: client.publish(topic, data),
    ),
    # #endif
}


def read_options(given: dict[str, Any]) -> Options:
    """Read `{"ackTimeoutMs": 5000}` as `ack_timeout=5`."""
    known = {one.name for one in fields(Options)}
    backoff = given.get("backoff", {})
    options = {
        **given,
        **given.get("queue", {}),
        **{f"backoff_{name}": value for name, value in backoff.items()},
    }
    read: dict[str, Any] = {}
    for name, value in options.items():
        own = re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)
        read[own.removesuffix("_ms")] = value / 1000 if own.endswith("_ms") else value
    return Options(**{name: value for name, value in read.items() if name in known})


def show(event: str, **more: object) -> None:
    """Print an event."""
    line = {"event": event, **{name: value for name, value in more.items() if value is not None}}
    print(json.dumps(line), flush=True)


class Driver:
    """A client as the commands see it."""

    def __init__(self, url: str, kind: str) -> None:
        """Take options from the environment."""
        # #if auth
        self._tokens: asyncio.Queue[str] = asyncio.Queue()
        # #endif
        # A generated client is of one type; the template itself is told which.
        make, self._join, self._send = KINDS.get(kind, next(iter(KINDS.values())))
        options = read_options(json.loads(os.environ.get("CLIENT_OPTIONS", "{}")))
        # #if auth
        self._client = make(url, options=options, get_token=self._get_token)
        # #else
        #~ self._client = make(url, options=options)
        # #endif
        self._readers: dict[str, Any] = {}

    async def run(self) -> None:
        """Do commands until there are no more."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._show_states())
            self._client.start()
            while line := await asyncio.to_thread(sys.stdin.readline):
                self._do(json.loads(line), group)
            await self._client.close()

    def _do(self, command: dict[str, Any], group: asyncio.TaskGroup) -> None:
        name = command.get("name", "")
        match command["command"]:
            case "join":
                reader = self._readers[name] = self._join(self._client, name)
                group.create_task(self._read(name, reader))
            case "leave":
                self._readers[name].leave()
            # #if chat || pubsub
            case "publish":
                group.create_task(self._publish(name, command.get("data"), command.get("key")))
            # #endif
            # #if auth
            case "token":
                self._tokens.put_nowait(command["token"])
            # #endif
            case "close":
                group.create_task(self._client.close())

    # #if auth
    async def _get_token(self) -> str:
        show("token")
        return await self._tokens.get()

    # #endif
    # #if chat || pubsub
    async def _publish(self, name: str, data: Any, key: str | None) -> None:  # noqa: ANN401
        try:
            ack = await self._send(self._client, self._readers.get(name), name, data)
        except ClientError as error:
            show("rejected", key=key, code=error.code)
        else:
            show("ack", key=key, offset=ack.offset, duplicate=ack.duplicate)

    # #endif
    async def _show_states(self) -> None:
        async for event in self._client.events():
            if isinstance(event, ClientError):
                show("error", code=event.code, message=event.message)
            else:
                wait = None if event.retry_in is None else event.retry_in * 1000
                more = {"code": event.code, "retryInMs": wait}
                show("state", state=event.name, reason=event.reason, **more)

    async def _read(self, name: str, reader: Any) -> None:  # noqa: ANN401
        try:
            async for event in reader:
                self._show(name, event)
        except ClientError:
            return  # closed for good: there is a state that says so

    def _show(self, name: str, event: object) -> None:
        match event:
            # #if chat
            case ChatMessage(text=text, offset=offset, id=key):
                show("message", name=name, offset=offset, id=key, data=text)
            # #endif
            # #if pubsub
            case TopicEvent(topic=topic, data=data, offset=offset, id=key):
                show("message", name=name, topic=topic, offset=offset, id=key, data=data)
            # #endif
            # #if live
            case Change(data=data, offset=offset):
                show("message", name=name, offset=offset, data=data)
            case Removed():
                show("removed", name=name)
            # #endif
            case Joined():
                show("joined", name=name)
            case Recovered(recovered):
                show("recovered", name=name, recovered=recovered)
            case Refused(error):
                show("refused", name=name, code=error.code, message=error.message)


def main() -> None:
    """Run until stdin ends."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m ws_client.driver <url>")
    asyncio.run(Driver(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "").run())


if __name__ == "__main__":
    main()
