"""One line of JSON for each event, on standard output."""

import json
import os


def log(level: str, event: str, **fields: object) -> None:
    """Write an event. JSON in ASCII holds nothing that a terminal obeys."""
    line = json.dumps({"level": level, "event": event, **fields}, separators=(",", ":"))
    try:
        os.write(1, f"{line}\n".encode())
    except OSError:
        # A closed log pipe must not end the server.
        return
