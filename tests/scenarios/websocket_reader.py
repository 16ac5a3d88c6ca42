#!/usr/bin/python3
"""Follows a build over the websocket with a client library that this project did not write.

  websocket_reader.py URL BUILD [--offset BYTES] [--leave-after LINES] [--ca FILE]

The token stands on standard input. The log goes to standard output; to standard error one JSON
object: the offset behind it, the last status, the types of the events, the close code. With
--leave-after the connection is cut without a word, as by a lost network.
"""
import argparse
import asyncio
import json
import ssl
import sys

try:
    import websockets
except ImportError:
    sys.exit(77)

parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("build")
parser.add_argument("--offset", type=int)
parser.add_argument("--leave-after", type=int)
parser.add_argument("--ca")
arguments = parser.parse_args()
OVER = {"success", "build-error", "aborted", "crashed-error"}


async def follow(told, token):
    trust = ssl.create_default_context(cafile=arguments.ca) if arguments.ca else None
    async with websockets.connect(arguments.url, ssl=trust, open_timeout=20,
                                  max_queue=None) as stream:
        auth = {"token": token}
        if arguments.offset is not None:
            auth["offsets"] = {arguments.build: arguments.offset}
        await stream.send(json.dumps({"type": "auth", "data": auth}))
        try:
            if arguments.leave_after is not None:
                await asyncio.wait_for(await stream.ping(), 20)  # pings are answered as well
            async for text in stream:
                if not take(json.loads(text), told):
                    break
        except websockets.ConnectionClosed:
            pass
        told["close"] = stream.close_code
        if told["lines"] == arguments.leave_after:
            stream.transport.abort()


def take(event, told):
    """False: enough was read."""
    if event.get("id") != arguments.build:
        return True
    told["types"].append(event["type"])
    if event["type"] == "log":
        print(event["data"]["content"], end="", flush=True)
        told["offset"] = event["data"]["offset"]
        told["lines"] += 1
        return told["lines"] != arguments.leave_after
    if event["type"] == "status":
        told["status"] = event["data"]["status"]
        return told["status"] not in OVER
    return True


result = {"offset": arguments.offset or 0, "status": None, "types": [], "close": None, "lines": 0}
try:
    asyncio.run(asyncio.wait_for(follow(result, sys.stdin.readline().strip()), 120))
except (ConnectionError, websockets.ConnectionClosed):  # of the one that was cut here
    if result["lines"] != arguments.leave_after:
        raise
result["types"] = sorted(set(result["types"]))
json.dump(result, sys.stderr)
