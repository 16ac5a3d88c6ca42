"""A real Slipway server for benchmarks: the tests' small stack, one app, pushes over ssh."""
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}\n{done.stdout}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """slipwayd with a directory, a key and an app of its own. Everything ends with close()."""

    def __init__(self, bin_directory, buildpacks=f"{ROOT}/tests/fixtures/buildpacks", settings="",
                 directory=None):
        self.bin, self.buildpacks, self.settings = bin_directory, buildpacks, settings
        self.root = tempfile.mkdtemp(prefix="slipway-bench-",
                                     dir=directory or ("/dev/shm" if os.path.isdir("/dev/shm") else None))
        os.chmod(self.root, 0o755)
        self.port, self.registry = free_port(), f"127.0.0.1:{free_port()}"
        os.makedirs(self.path("home"))
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": self.path("home"), "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@example.org",
            "GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@example.org",
            "GIT_SSH_COMMAND": f"ssh -F none -i {self.path('key')} -o IdentitiesOnly=yes"
                               " -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR"
                               f" -o UserKnownHostsFile={self.path('known')}"
                               " -o KexAlgorithms=curve25519-sha256"}
        self.process = None

    def path(self, name):
        return os.path.join(self.root, name)

    def start(self):
        with open(self.path("slipway.toml"), "w") as config:
            config.write(f'state = "{self.path("state")}"\nssh.listen = "127.0.0.1:{self.port}"\n'
                         f'ssh.user = "nobody"\nregistry.listen = "{self.registry}"\n'
                         f'http.listen = "127.0.0.1:0"\nbuild.same_inputs = "0s"\n'
                         f'paths.programs = "{self.bin}"\nlog.level = "warning"\n'
                         f'paths.buildpacks = ["{self.buildpacks}"]\n' + self.settings)
        self.process = subprocess.Popen(
            [os.path.join(self.bin, "slipwayd"), "--config", self.path("slipway.toml")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.path("log"), "w"))
        end = time.monotonic() + 30
        while not os.path.exists(self.path("state/run/server.json")):
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit("slipwayd did not start:\n" + open(self.path("log")).read())
            time.sleep(0.02)

    def make_stack(self):
        run(f"{ROOT}/tests/scenarios/tiny_stack.sh", self.path("layout"))
        self.use_stack("tiny", self.path("layout"))

    # What skopeo shows the registry: the server's own password, of this start.
    def log_in_to_registry(self):
        with open(self.path("state/registry/password")) as password:
            login = base64.b64encode(("operator:" + password.read().strip()).encode()).decode()
        with open(self.path("registry-auth.json"), "w") as auth:
            json.dump({"auths": {self.registry: {"auth": login}}}, auth)
        os.environ["REGISTRY_AUTH_FILE"] = self.path("registry-auth.json")

    def use_stack(self, name, layout):
        self.log_in_to_registry()
        stack = f"{self.registry}/stacks/{name}"
        for image in ("build", "run"):
            run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false",
                f"oci:{layout}:{image}", f"docker://{stack}:{image}")
        self.slipway("stack", "use", name, "--build", f"{stack}:build", "--run", f"{stack}:run")

    def slipway(self, *words):
        return run(os.path.join(self.bin, "slipway"), "--state", self.path("state"), *words)

    def git(self, *words):
        return run("git", "-C", self.path("app"), *words, env=self.environment)

    def make_app(self, fixture=None):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path("key"))
        self.slipway("keys", "add", "bench", self.path("key.pub"))
        self.slipway("apps", "create", "bench")
        if fixture:
            shutil.copytree(f"{ROOT}/tests/fixtures/apps/{fixture}", self.path("app"))
        else:
            os.makedirs(self.path("app"))
            with open(self.path("app/build.sh"), "w") as script:
                script.write("echo built\n")
            with open(self.path("app/web.sh"), "w") as script:
                script.write("exec httpd -f -p 8080\n")
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")

    def push(self):
        url = f"ssh://git@127.0.0.1:{self.port}/bench.git"
        started = time.monotonic()
        output = self.git("push", url, "main")
        return time.monotonic() - started, output

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)
