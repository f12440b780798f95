"""The variables of the process and of the file `.env`."""

import os
import re
from pathlib import Path

# The file with the secrets of a developer's own machine.
ENV_FILE = Path(".env")

# `NAME=value`, the value in quotes or not.
_LINE = re.compile(
    r"^[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*(?:\"([^\"]*)\"|'([^']*)'|([^\r\n]*?))[ \t]*\r?$",
    re.ASCII | re.MULTILINE,
)


def read_environment() -> dict[str, str]:
    """Return the variables of the process, and of those that it does not have, those of `.env`."""
    text = ENV_FILE.read_text() if ENV_FILE.is_file() else ""
    found = {one[1]: one[2] or one[3] or one[4] or "" for one in _LINE.finditer(text)}
    return found | os.environ
