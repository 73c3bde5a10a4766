"""Answers with its version and greeting. /slow?SECONDS takes that long, /headers says what was asked with, /ws is a WebSocket
and /events a stream of events; both go on until the server is told to stop, and are then ended as they should be."""

import base64
import hashlib
import http.server
import json
import os
import signal
import threading
import time

VERSION = "v1"
STOPPING = threading.Event()
TICK_S = 0.2


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/ws":
            return self.websocket()
        if self.path == "/events":
            return self.events()
        if self.path.startswith("/slow?"):
            time.sleep(float(self.path.partition("?")[2]))
        if self.path == "/headers":
            body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        else:
            body = f"{VERSION} {os.environ['GREETING']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def websocket(self) -> None:
        """RFC 6455: a text frame again and again, and at the end a close frame with 1001, "going away"."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        text = VERSION.encode()
        while not STOPPING.wait(TICK_S):
            self.wfile.write(bytes([0x81, len(text)]) + text)
        self.wfile.write(bytes([0x88, 2]) + (1001).to_bytes(2, "big"))
        self.close_connection = True

    def events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not STOPPING.wait(TICK_S):
            self.chunk(f"data: {VERSION}\n\n".encode())
        self.chunk(b"event: bye\ndata: the server is going away\n\n")
        self.chunk(b"")

    def chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def log_message(self, *_: object) -> None: ...


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = False  # requests in flight end before the process does


def stop(*_: object) -> None:
    STOPPING.set()
    threading.Thread(target=server.shutdown).start()


server = Server(("", 8000), Handler)
signal.signal(signal.SIGTERM, stop)
print("started", VERSION)
server.serve_forever(poll_interval=0.1)
server.server_close()
