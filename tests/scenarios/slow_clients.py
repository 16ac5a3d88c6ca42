#!/usr/bin/env python3
"""Many clients who send one byte a second, each in its own way, until the server ends them.

  slow_clients.py HTTP-PORT SSH-PORT TOKEN HOOK LIMIT

All call from 127.0.0.2. Prints for each kind: its name, the connections, how many the server ended
within LIMIT seconds, the first bytes of an answer. A client that a server ends at once (too many of
one address) counts as refused. Writes READY to standard error once all have begun.
"""
import json
import selectors
import socket
import sys
import time

http_port, ssh_port, token, hook, limit = sys.argv[1:]
FROM = ("127.0.0.2", 0)


def post(path, headers=""):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Type: application/json\r\n"
            "Content-Length: 100000\r\n\r\n").encode()


bearer = f"Authorization: Bearer {token}\r\n"
slow_head = b"GET /v1/apps HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 10000
# Name: port, how many, what is sent at once, what follows byte by byte.
kinds = {
    "nothing at all": (http_port, 10, b"", b""),
    "a request's head": (http_port, 20, b"", slow_head),
    "an archive": (http_port, 5, post("/v1/apps/hello/builds", bearer), b"x" * 10000),
    "a JSON body": (http_port, 5, post("/v1/apps", bearer), b" " * 10000),
    "a delivery": (http_port, 5, post(f"/hooks/{hook}"), b" " * 10000),
    "a body in chunks": (http_port, 5, post(f"/hooks/{hook}").replace(
        b"Content-Length: 100000", b"Transfer-Encoding: chunked"), b"1\r\nx\r\n" * 2000),
    "SSH: nothing at all": (ssh_port, 2, b"", b""),
    "SSH: its version": (ssh_port, 3, b"", b"SSH-2.0-slow" + b"w" * 200),
    "SSH: its key exchange": (ssh_port, 3, b"SSH-2.0-slow\r\n", b"\0\0\5\0\6\24" + b"\0" * 2000),
}


class Client:
    def __init__(self, kind, port, first, rest):
        self.kind, self.rest, self.answer = kind, rest, b""
        self.began, self.ended = time.monotonic(), None
        self.socket = socket.create_connection(("127.0.0.1", int(port)), source_address=FROM)
        self.socket.setblocking(False)
        self.send(first)

    def send(self, data):
        try:
            if data:
                self.socket.send(data)
        except OSError:
            self.end()

    def end(self):
        if self.ended is None:
            self.ended = time.monotonic() - self.began

    def read(self):
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.answer += data
        if not data:
            self.end()


clients = [Client(kind, port, first, rest)
           for kind, (port, count, first, rest) in kinds.items() for _ in range(count)]
print("READY", file=sys.stderr, flush=True)
begun = time.monotonic()
tick = begun
while time.monotonic() - begun < float(limit) and any(c.ended is None for c in clients):
    with selectors.DefaultSelector() as selector:
        for client in clients:
            if client.ended is None:
                selector.register(client.socket, selectors.EVENT_READ, client)
        for key, _ in selector.select(max(0.0, tick + 1 - time.monotonic())):
            key.data.read()
    if time.monotonic() >= tick + 1:
        tick = time.monotonic()
        for client in clients:
            if client.ended is None and client.rest:
                client.send(client.rest[:1])
                client.rest = client.rest[1:]

report = {}
for kind in kinds:
    own = [c for c in clients if c.kind == kind]
    report[kind] = {"connections": len(own), "ended": sum(c.ended is not None for c in own),
                    "longest": round(max((c.ended or 1e9) for c in own), 1),
                    "answers": sorted({c.answer[:12].decode(errors="replace") for c in own})}
json.dump(report, sys.stdout, indent=1)
