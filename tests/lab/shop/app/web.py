"""Answers with its version and greeting; /slow?SECONDS takes that long."""

import http.server
import os
import signal
import threading
import time

VERSION = "v1"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/slow?"):
            time.sleep(float(self.path.partition("?")[2]))
        body = f"{VERSION} {os.environ['GREETING']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None: ...


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = False  # requests in flight end before the process does


server = Server(("", 8000), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("started", VERSION)
server.serve_forever(poll_interval=0.1)
server.server_close()
