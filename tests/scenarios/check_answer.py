#!/usr/bin/env python3
"""Holds an answer of the API against the server's own description of it.

check_answer.py OPENAPI METHOD PATTERN STATUS < BODY

The part of JSON Schema that openapi.json uses, and one thing more: an object whose properties are
described has no others, so that nothing is answered that is not described.
"""
import json
import re
import sys

TYPES = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
KNOWN = {"$ref", "type", "enum", "const", "pattern", "format", "properties", "required", "items",
         "oneOf", "anyOf", "additionalProperties", "description", "default", "minimum", "maximum",
         "minLength", "maxLength", "minItems", "maxItems", "examples", "title", "contentMediaType"}


def follow(document, value):
    while "$ref" in value:
        target = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target
    return value


def faults(document, schema, value, where):
    schema = follow(document, schema)
    unknown = set(schema) - KNOWN
    if unknown:
        yield f"{where}: the check does not know {sorted(unknown)}"
    types = schema.get("type")
    types = [types] if isinstance(types, str) else types
    if types and not any(TYPES[name](value) for name in types):
        yield f"{where}: {value!r} is not of type {types}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is not one of {schema['enum']}"
    for word in ("oneOf", "anyOf"):
        if word in schema:
            fits = sum(not list(faults(document, s, value, where)) for s in schema[word])
            if fits != 1 and not (word == "anyOf" and fits > 1):
                yield f"{where}: {value!r} fits {fits} of {word}"
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{where}: {value!r} does not match {schema['pattern']}"
        if schema.get("format") == "date-time" and not TIME.fullmatch(value):
            yield f"{where}: {value!r} is no time"
    if isinstance(value, list) and "items" in schema:
        for number, entry in enumerate(value):
            yield from faults(document, schema["items"], entry, f"{where}[{number}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties", not properties)
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}.{name} is missing"
        for name, entry in value.items():
            if name in properties:
                yield from faults(document, properties[name], entry, f"{where}.{name}")
            elif isinstance(rest, dict):
                yield from faults(document, rest, entry, f"{where}.{name}")
            elif not rest:
                yield f"{where}.{name} is not described"


def main():
    path, method, pattern, status = sys.argv[1:]
    with open(path) as file:
        document = json.load(file)
    body = sys.stdin.read()
    responses = document["paths"][pattern][method.lower()]["responses"]
    if status not in responses and "default" not in responses:
        sys.exit(f"{method} {pattern}: {status} is not described")
    if status not in responses and int(status) < 400:
        sys.exit(f"{method} {pattern}: {status} is not described as a success")
    content = follow(document, responses.get(status, responses.get("default"))).get("content", {})
    if "application/json" not in content:
        if body and not content:
            sys.exit(f"{method} {pattern}: {status} has a body that is not described")
        return
    found = list(faults(document, content["application/json"]["schema"], json.loads(body), "$"))
    for fault in found:
        print(f"{method} {pattern} {status}: {fault}", file=sys.stderr)
    sys.exit(1 if found else 0)


main()
