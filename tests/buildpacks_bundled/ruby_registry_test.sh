#!/usr/bin/env bash
# The ruby buildpack with gems of rubygems.org: a Rack app with Puma.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mirror=${SLIPWAY_RUBYGEMS_MIRROR:-https://rubygems.org}
curl --silent --fail --max-time 20 --output /dev/null "${mirror%/}/info/puma" ||
    skip "rubygems.org, the registry of gems, cannot be reached (SLIPWAY_RUBYGEMS_MIRROR names another)"

layers=$work_dir/layers
mkdir -p "$work_dir/app"
printf 'source "https://rubygems.org"\ngem "puma", "6.4.2"\ngem "rack", "2.2.8"\n' \
    >"$work_dir/app/Gemfile"
echo 'run ->(_) { [200, {}, ["Hello from Slipway"]] }' >"$work_dir/app/config.ru"
use_app "$work_dir/app"
debian_packages ruby
run build ruby "${debian_environment[@]}"
equal "gems of the registry are installed" 0 "$status"
holds "and counted" "$output" "Installed 3 gems"
holds "without a lock file there is a warning" "$output" "WARNING: no Gemfile.lock"
cp "$work_dir/workspace/Gemfile.lock" "$work_dir/app/"
use_app "$work_dir/app"
run build ruby "${debian_environment[@]}"
holds "Puma is started" "$(cat "$layers/launch.toml")" "exec bundle exec puma"
keep_only_cached
use_app "$work_dir/app"
run build ruby "${debian_environment[@]}" SLIPWAY_RUBYGEMS_MIRROR="$closed_port"
holds "a second build downloads nothing" "$output" "Using 3 gems from the cache"

finish
