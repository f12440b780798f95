"""Crossbar at the port that it is told, with a realm in which everybody may do everything."""

import json
import os
import sys
import tempfile

folder = tempfile.mkdtemp(prefix="crossbar-")
allow = {action: True for action in ("call", "register", "publish", "subscribe")}
role = {
    "name": "anonymous",
    "permissions": [{"uri": "", "match": "prefix", "allow": allow, "cache": True}],
}
transport = {
    "type": "websocket",
    "endpoint": {"type": "tcp", "port": int(sys.argv[1]), "interface": "127.0.0.1"},
    "serializers": ["json"],
}
router = {
    "type": "router",
    "realms": [{"name": "realm1", "roles": [role]}],
    "transports": [transport],
}
with open(os.path.join(folder, "config.json"), "w") as file:
    json.dump({"version": 2, "controller": {}, "workers": [router]}, file)
program = os.path.join(os.path.dirname(sys.executable), "crossbar")
os.execv(program, [program, "start", "--cbdir", folder, "--loglevel", "warn"])
