"""Debian's docker-registry with its data in a directory, and commands that are timed."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from slipway_server import free_port


class Registry:
    CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}/data}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
"""

    def __init__(self, root):
        self.root, self.port = root, free_port()
        self.name = f"127.0.0.1:{self.port}"
        with open(f"{root}/config.yml", "w") as config:
            config.write(self.CONFIG.format(root=root, port=self.port))
        self.process = subprocess.Popen(["docker-registry", "serve", f"{root}/config.yml"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    sys.exit("docker-registry does not start")
                time.sleep(0.02)

    def layers(self, repository):
        request = urllib.request.Request(
            f"http://{self.name}/v2/{repository}/manifests/latest",
            headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)["layers"]

    def forget(self):
        shutil.rmtree(f"{self.root}/data", ignore_errors=True)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def timed(*command, **options):
    """Seconds, and what the command itself used."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}\n{output}")
    return time.monotonic() - started, usage, output
