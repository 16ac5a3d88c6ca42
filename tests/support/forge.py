#!/usr/bin/env python3
"""A forge's stand-in: real git over smart HTTP, and an API that remembers what it was told.

    forge.py DIRECTORY [--token TOKEN] [--no-bare-commits]

Serves each bare repository DIRECTORY/<owner>/<repo>.git to git's own http-backend. With a token,
whoever does not show it (Basic, any user; or Bearer) gets 404, as GitHub answers. Prints its port.

API of GitHub, GitLab and Gitea, as far as builds report to it: POST to .../statuses/<sha>,
.../deployments, .../deployments/<id>/statuses; each is appended to DIRECTORY/told.jsonl as
{"method", "path", "headers", "body"}. DIRECTORY/answers.json, {"path": [status, ...]}, lets a test
choose what the next calls of a path are answered with. DIRECTORY/calls.log has a line for each
request to git: "GET /owner/repo.git/info/refs?service=git-upload-pack 200".
"""
import argparse
import base64
import http.server
import json
import os
import pathlib
import re
import subprocess
import threading

parser = argparse.ArgumentParser()
parser.add_argument("directory", type=pathlib.Path)
parser.add_argument("--token", default="")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--no-bare-commits", action="store_true")
arguments = parser.parse_args()
lock = threading.Lock()
deployments = iter(range(1, 1 << 30))


class Forge(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def is_welcome(self):
        if not arguments.token:
            return True
        kind, _, word = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            word = base64.b64decode(word).decode().partition(":")[2]
        if not word:
            word = self.headers.get("PRIVATE-TOKEN", "")
        return word == arguments.token

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        self.serve(b"")

    def do_POST(self):
        self.serve(self.read_body())

    def serve(self, body):
        path, _, query = self.path.partition("?")
        if re.fullmatch(r"/[\w.-]+/[\w.-]+\.git/(info/refs|git-upload-pack|HEAD|objects/.*)", path):
            return self.serve_git(path, query, body)
        return self.serve_api(path, body)

    def serve_git(self, path, query, body):
        status, headers, content = 404, [], b"Not Found"
        if self.is_welcome():
            status, headers, content = self.call_backend(path, query, body)
        with lock, open(arguments.directory / "calls.log", "a") as log:
            log.write(f"{self.command} {self.path} {status}\n")
        self.answer(status, content, headers)

    def call_backend(self, path, query, body):
        allowed = "false" if arguments.no_bare_commits else "true"
        settings = [("http.receivepack", "false"), ("safe.directory", "*"),
                    ("uploadpack.allowAnySHA1InWant", allowed),
                    ("uploadpack.allowReachableSHA1InWant", allowed)]
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(arguments.directory),
            "GIT_HTTP_EXPORT_ALL": "1", "GIT_CONFIG_NOSYSTEM": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        # Protocol 2 hands out any object that there is: the old one has servers that do not.
        if not arguments.no_bare_commits:
            environment["GIT_PROTOCOL"] = self.headers.get("Git-Protocol", "")
        for number, (key, value) in enumerate(settings):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        output = subprocess.run(["git", "http-backend"], env=environment, input=body,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        head, _, content = output.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        return status, [h for h in headers if h[0] != "Status"], content

    def serve_api(self, path, body):
        with lock, open(arguments.directory / "told.jsonl", "a") as told:
            told.write(json.dumps({"method": self.command, "path": path,
                                   "headers": {k.lower(): v for k, v in self.headers.items()},
                                   "body": body.decode(errors="replace")}) + "\n")
        if not self.is_welcome():
            return self.answer(404, b'{"message": "Not Found"}')
        status = self.chosen_answer(path)
        content = json.dumps({"id": next(deployments)}).encode() if status < 300 else b"{}"
        return self.answer(status, content, [("Content-Type", "application/json")])

    def chosen_answer(self, path):
        file = arguments.directory / "answers.json"
        with lock:
            answers = json.loads(file.read_text()) if file.exists() else {}
            if answers.get(path):
                status = answers[path].pop(0)
                file.write_text(json.dumps(answers))
                return status
        return 201


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # a client that hung up; everything else shows in what it got


server = Server(("127.0.0.1", arguments.port), Forge)
print(server.server_address[1], flush=True)
server.serve_forever()
