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
verdict go-hello go 0 "found go.mod"
verdict rust-hello rust 0 "found Cargo.toml"
verdict static-hello static 0 "found public/index.html"
verdict procfile-hello procfile 0 "found Procfile"
verdict java-maven java 0 "found pom.xml"
verdict none java 100 "no pom.xml, build.gradle or build.gradle.kts"
verdict none nodejs 100 "no package.json"
verdict none python 100 "no requirements.txt, pyproject.toml or Pipfile"
verdict none go 100 "no go.mod"
verdict none rust 100 "no Cargo.toml"
verdict none static 100 "no static.json, and no index.html in ., public, dist or _site"
verdict none procfile 100 "no Procfile"

verdict none apt 0 "no Aptfile; gives Debian packages to a buildpack that asks for them"
verdict ruby-hello ruby 0 "found Gemfile"
verdict none ruby 100 "no Gemfile"
verdict php-hello php 0 "found composer.json"
verdict php-plain php 0 "found index.php"
verdict none php 100 "no composer.json, and no index.php in ., public or web"
verdict apt-hello apt 0 "found Aptfile"

use_app "$apps_dir/node-hello"
run detect nodejs
equal "nodejs provides and requires node" 2 "$(grep -c '^name = "node"$' "$work_dir/plan.toml")"

# Each buildpack must stand alone, so the shared functions are copies.
for buildpack in python static procfile apt ruby php go rust java; do
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
