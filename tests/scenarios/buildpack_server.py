#!/usr/bin/env python3
"""Serves a directory of git repositories and files over HTTP, and writes down each request.

  buildpack_server.py DIRECTORY LOG     prints its port, then serves until it is ended

/git/NAME is answered by git http-backend from DIRECTORY/git, /files/NAME is a file with an ETag,
/to-private and /moved/NAME redirect, /slow never answers, /slow-git begins to answer as git does.
"""
import hashlib
import http.server
import os
import pathlib
import subprocess
import sys
import threading

root = pathlib.Path(sys.argv[1])
log = open(sys.argv[2], "a", buffering=1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        length = self.headers.get("Content-Length")
        if length is not None:
            return self.answer(self.rfile.read(int(length)))
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.answer(body)

    def answer(self, body):
        log.write(f"{self.command} {self.path}\n")
        path, _, query = self.path.partition("?")
        if path.startswith("/git/"):
            self.git(path[len("/git") :], query, body)
        elif path.startswith("/files/"):
            self.file(root / "files" / path[len("/files/") :])
        elif path.startswith("/moved/"):
            self.redirect(self.path.replace("/moved/", "/git/", 1))
        elif path == "/to-private/x.tgz":
            self.redirect("http://127.0.0.1:1/x.tgz")
        elif path.startswith("/slow"):
            threading.Event().wait(60)
        else:
            self.send_error(404)

    def redirect(self, location):
        self.send_response(302)
        self.send_header("Location", location)
        self.end_headers()

    def file(self, path):
        if not path.is_file():
            return self.send_error(404)
        content = path.read_bytes()
        etag = '"' + hashlib.sha256(content).hexdigest()[:16] + '"'
        known = self.headers.get("If-None-Match") == etag
        self.send_response(304 if known else 200)
        self.send_header("ETag", etag)
        self.end_headers()
        if not known:
            self.wfile.write(content)

    def git(self, path, query, body):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "GIT_PROJECT_ROOT": str(root / "git"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            else:
                headers.append((name, value))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
