#!/usr/bin/env python3
"""Sends every recorded webhook of @octokit/webhooks-examples to one URL, signed.

    post_examples.py DIRECTORY URL SECRET

Prints {"sent", "accepted" (202), "failed": [event and status of each that is neither 2xx nor 4xx]}.
"""
import hashlib
import hmac
import http.client
import json
import pathlib
import sys
import urllib.parse

directory, url, secret = pathlib.Path(sys.argv[1]), urllib.parse.urlsplit(sys.argv[2]), sys.argv[3]
connection = http.client.HTTPConnection(url.netloc, timeout=30)
sent, accepted, failed = 0, 0, []
for file in sorted(directory.glob("*/index.json")):
    for event in json.loads(file.read_text()):
        for example in event["examples"]:
            sent += 1
            body = json.dumps(example).encode()
            connection.request("POST", url.path, body, {
                "Content-Type": "application/json",
                "X-GitHub-Event": event["name"],
                "X-GitHub-Delivery": f"example-{sent}",
                "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
            })
            answer = connection.getresponse()
            answer.read()
            accepted += answer.status == 202
            if not 200 <= answer.status < 300 and not 400 <= answer.status < 500:
                failed.append([event["name"], answer.status])
print(json.dumps({"sent": sent, "accepted": accepted, "failed": failed}))
