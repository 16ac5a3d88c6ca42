#!/usr/bin/env bash
# Which bundled buildpack takes which app, and what the others say.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# verdict APP BUILDPACK STATUS TEXT
verdict() {
    use_app "$apps_dir/$1"
    run detect "$2"
    equal "$2 says of $1" "$3: $4" "$status: $output"
}

verdict node-hello nodejs 0 "found package.json"
verdict node-hello python 100 "no requirements.txt, pyproject.toml or Pipfile"
verdict python-hello python 0 "found requirements.txt"
verdict python-hello procfile 0 "found Procfile"
verdict static-hello static 0 "found public/index.html"
verdict procfile-hello procfile 0 "found Procfile"
verdict none nodejs 100 "no package.json"
verdict none python 100 "no requirements.txt, pyproject.toml or Pipfile"
verdict none static 100 "no static.json, and no index.html in ., public, dist or _site"
verdict none procfile 100 "no Procfile"

use_app "$apps_dir/node-hello"
run detect nodejs
equal "nodejs provides and requires node" 2 "$(grep -c '^name = "node"$' "$work_dir/plan.toml")"

# Each buildpack must stand alone, so the shared functions are copies.
for buildpack in python static procfile; do
    if cmp -s "$bundled_dir/nodejs/lib/common.sh" "$bundled_dir/$buildpack/lib/common.sh"; then
        ok "$buildpack has the same lib/common.sh as nodejs"
    else
        not_ok "$buildpack has the same lib/common.sh as nodejs"
    fi
done

# The order names buildpacks that are there, with their versions.
while read -r id version; do
    file=$bundled_dir/${id#slipway/}/buildpack.toml
    holds "order.toml names $id as it is" "$(cat "$file")" "id = \"$id\""
    holds "order.toml has the version of $id" "$(cat "$file")" "version = \"$version\""
done < <(sed -n 's/^id = "\(.*\)"/\1/p; s/^version = "\(.*\)"/\1/p' "$bundled_dir/order.toml" |
    paste -d ' ' - - | sort -u)

finish
