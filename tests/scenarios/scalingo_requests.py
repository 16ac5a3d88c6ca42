#!/usr/bin/python3
"""The requests that Scalingo's command-line client makes for "deploy ARCHIVE VERSION", in its order
and with its expectations (paths, statuses, fields): for machines that cannot have the client itself.

Usage: scalingo_requests.py AUTH-URL API-TOKEN APP ARCHIVE VERSION
"""
import base64
import json
import os
import socket
import struct
import sys
import time
import urllib.parse
import urllib.request

RUNNING = {"queued", "building", "pushing", "starting"}


def ask(method, url, token=None, password=None, body=None, expected=200, headers=()):
    request = urllib.request.Request(url, method=method, data=body)
    request.add_header("Content-Type", "application/json")
    request.add_header("Accept", "application/json")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    if password:
        word = base64.b64encode(f":{password}".encode()).decode()
        request.add_header("Authorization", "Basic " + word)
    for name, value in headers:
        request.add_header(name, value)
    with urllib.request.urlopen(request) as answer:
        if answer.status != expected:
            sys.exit(f"{method} {url}: {answer.status}, not {expected}")
        return answer.read()


def claims_of(jwt):
    """The client reads the expiry, unverified."""
    payload = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class WebSocket:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=120)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                             "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                             "Origin: http://scalingo-cli.local/1\r\n\r\n").encode())
        self.stream = self.socket.makefile("rb")
        status = self.stream.readline()
        if b" 101 " not in status:
            sys.exit(f"no websocket: {status}")
        while self.stream.readline().strip():
            pass

    def send(self, value):
        payload, mask = json.dumps(value).encode(), os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(struct.pack("!BBH", 0x81, 0x80 | 126, len(payload)) + mask + masked)

    def receive(self):
        """The next event; None when the server closes."""
        first, second = self.stream.read(2)
        size = second & 127
        if size >= 126:
            wide = size == 127
            size = struct.unpack("!Q" if wide else "!H", self.stream.read(8 if wide else 2))[0]
        payload = self.stream.read(size)
        return None if first & 15 == 8 else json.loads(payload)


def follow(url, token, wanted):
    stream = WebSocket(url)
    stream.send({"type": "auth", "data": {"token": token}})
    status = None
    while (event := stream.receive()) is not None:
        kind, data = event["type"], event["data"]
        if kind == "new":
            print("[NEW] New deploy: " + data["deployment"]["id"] + " from " +
                  data["deployment"]["pusher"]["username"])
        if event.get("id") != wanted:
            continue
        if kind == "log":
            print("[LOG] " + data["content"].strip())
        elif kind == "status":
            print(f"[STATUS] {status} -> {data['status']}")
            status = data["status"]
            if status not in RUNNING:
                return status
    sys.exit("the stream ended before the deployment")


def main():
    auth, api_token, app, archive, version = sys.argv[1:]
    exchanged = json.loads(ask("POST", auth + "/v1/tokens/exchange", password=api_token, body=b"{}"))
    token = exchanged["token"]
    if claims_of(token)["exp"] < time.time() + 300:
        sys.exit("the exchanged token ends at once")
    user = json.loads(ask("GET", auth + "/v1/users/self", token))["user"]
    regions = json.loads(ask("GET", auth + "/v1/regions", token))["regions"]
    api = next(region["api"] for region in regions if region["default"])
    print(f"{user['username']} at {api}")
    source = json.loads(ask("POST", api + "/v1/sources", token, body=b"{}", expected=201))["source"]
    with open(archive, "rb") as file:
        ask("PUT", source["upload_url"], body=file.read(),
            headers=[("Content-Type", "application/x-gzip")])
    wanted = {"deployment": {"git_ref": version, "source_url": source["download_url"]}}
    made = json.loads(ask("POST", f"{api}/v1/apps/{app}/deployments", token,
                          body=json.dumps(wanted).encode(), expected=201))["deployment"]
    shown = json.loads(ask("GET", f"{api}/v1/apps/{app}", token))["app"]
    status = follow(shown["links"]["deployments_stream"], token, made["id"])
    done = json.loads(ask("GET", f"{api}/v1/apps/{app}/deployments/{made['id']}", token))["deployment"]
    print(done["status"], done["image"])
    sys.exit(0 if status == "success" else 1)


main()
