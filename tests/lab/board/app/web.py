"""Answers with its version and the page that is mounted; /facts says what it was given."""

import http.server
import json
import os
import resource
import signal
import socket
import threading
from pathlib import Path

VERSION = "v1"
FILES = {
    "token": os.environ.get("TOKEN_FILE", ""),
    "door": "/run/secrets/door",
    "motd": "/etc/motd.txt",
    "greeting": "/etc/greeting.txt",
    "notice": "/notice.txt",
    "notice as a config": "/etc/notice.txt",
    "shared": "/shared.txt",
    "flavour": "/flavour.txt",
    "srv": "/srv/board/here.txt",
    "hosts": "/etc/hosts",
    "mounts": "/proc/self/mounts",
}


def facts() -> dict[str, object]:
    texts = {name: Path(path).read_text() for name, path in FILES.items() if path and Path(path).is_file()}
    return texts | {
        "env": {name: os.environ.get(name) for name in ("COLOUR", "STAGE")},
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "scratch": os.path.ismount("/scratch"),
        "capabilities": next(line for line in Path("/proc/self/status").read_text().splitlines() if "CapEff" in line),
        "first process": Path("/proc/1/cmdline").read_text().split("\0")[0],
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/facts":
            text = json.dumps(facts())
        elif self.path == "/peer":
            text = socket.gethostbyname(os.environ["PEER"])
        else:
            page = Path("/site/page.txt")
            text = f"{VERSION} {page.read_text() if page.exists() else socket.gethostname()}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None: ...


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = False


if Path("/data").is_dir():
    with open("/data/starts", "a") as starts:
        starts.write(f"{VERSION}\n")
server = Server(("", 8000), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.1)
server.server_close()
