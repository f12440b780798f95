# #if commands
"""ws-app: a WebSocket server. Every setting is an environment variable, see Config."""
# #else
#~ """ws-app: a WebSocket echo server (RFC 6455). Text comes back as text, binary as binary.
#~
#~ Needs Python 3.11 or later and nothing else. Every setting is an environment variable, see Config:
#~
# #if project
#~     PORT=8080 python3 -m ws_server
# #else
#~     PORT=8080 python3 echo_server.py
# #endif
#~ """
# #endif

import asyncio
import errno
# #if auth
# #else
#~ import os
# #endif
import sys

from .config import Config, ConfigError
# #if auth
from .environment import read_environment
# #endif
from .server import Server


def main() -> None:
    """Serve until SIGTERM or SIGINT: exit code 0; 1 if it cannot listen, 2 for a wrong setting."""
    try:
        # #if auth
        config = Config.read(read_environment())
        # #else
        #~ config = Config.read(os.environ)
        # #endif
        asyncio.run(Server(config).run())
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "error")
        print(f"cannot listen: {name}: {str(error.strerror).lower()}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
