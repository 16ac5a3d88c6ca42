#!/usr/bin/env bash
# Recorded webhooks of every event: npm's @octokit/webhooks-examples, one version, checked against
# the hash below. Prints the directory that holds <host>/index.json; 77 when there is no way to it.
#
#   webhook_examples.sh DIRECTORY      (kept there for the next time)
set -euo pipefail
version=7.6.1
sha512=0dee94dd707a3b70ed09aedb2a008ccd31dd7a8a6aa99e92362bcc6099caeb989eaca2f5027348034b644580914bb970193efdd9df8fb3559b7c796ca3a3329d
store=$1/webhook-examples-$version

if [ ! -d "$store" ]; then
    command -v npm >/dev/null || { echo "npm is not installed" >&2; exit 77; }
    mkdir -p "$1"
    draft=$(mktemp -d "$1/webhook-examples.XXXXXX")
    trap 'rm -rf "$draft"' EXIT
    (cd "$draft" && npm pack --silent --cache "$draft/cache" "@octokit/webhooks-examples@$version") \
        >/dev/null 2>"$draft/error" ||
        { echo "npm could not fetch @octokit/webhooks-examples: $(tail -n 1 "$draft/error")" >&2; exit 77; }
    archive=$draft/octokit-webhooks-examples-$version.tgz
    echo "$sha512  $archive" | sha512sum --check --status ||
        { echo "@octokit/webhooks-examples $version has other bytes than those that were pinned" >&2; exit 1; }
    tar -xzf "$archive" -C "$draft"
    mv -T "$draft/package" "$store" 2>/dev/null || [ -d "$store" ]
fi
echo "$store"
