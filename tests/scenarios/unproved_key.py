"""Offers the public key of somebody else, proves its own key, and asks for an app.

    unproved_key.py PORT OFFERED.pub OWN-PRIVATE-KEY [APP]

Ends with 0 when the server gave nothing: the login failed, or the app was refused to the key that
was proved. A server that binds the identity to the offered key would open the app.
"""
import sys

import paramiko
from paramiko.message import Message
from paramiko.common import cMSG_USERAUTH_REQUEST

port, offered, own = int(sys.argv[1]), sys.argv[2], sys.argv[3]
app = sys.argv[4] if len(sys.argv) > 4 else "hello"

transport = paramiko.Transport(("127.0.0.1", port))
transport.start_client(timeout=20)

# The probe: "would you take this key?", without a signature.
algorithm, blob = open(offered).read().split()[:2]
key = paramiko.Ed25519Key(data=__import__("base64").b64decode(blob))
auth = paramiko.auth_handler.AuthHandler(transport)
transport.auth_handler = auth
auth.auth_method, auth.username = "publickey", "git"
service = Message()
service.add_byte(b"\x05")
service.add_string("ssh-userauth")
transport._send_message(service)
probe = Message()
probe.add_byte(cMSG_USERAUTH_REQUEST)
for value in ("git", "ssh-connection", "publickey"):
    probe.add_string(value)
probe.add_boolean(False)
probe.add_string(algorithm)
probe.add_string(key.asbytes())
transport._send_message(probe)

try:
    transport.auth_publickey("git", paramiko.Ed25519Key.from_private_key_file(own))
except paramiko.SSHException as error:
    print(f"login refused: {error}")
    sys.exit(0)

channel = transport.open_session(timeout=20)
channel.settimeout(20)
channel.exec_command(f"git-receive-pack '{app}.git'")
answer = channel.recv(4096)
print(f"answer: {answer!r}")
sys.exit(1 if b"report-status" in answer else 0)
