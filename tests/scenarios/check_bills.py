"""check_bills.py CYCLONEDX SPDX: both as their own projects' libraries see them. What is wrong with
them is printed; then the end is 1."""

import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

failures = []
with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
version = json.loads(text)["specVersion"]
error = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(text)
if error is not None:
    failures.append(f"CycloneDX {version}: {error}")

for message in validate_full_spdx_document(parse_file(sys.argv[2])):
    failures.append(f"SPDX: {message.validation_message} ({message.context.spdx_id})")

print("\n".join(failures) or f"CycloneDX {version} and SPDX are valid")
sys.exit(1 if failures else 0)
