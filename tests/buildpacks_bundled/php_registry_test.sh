#!/usr/bin/env bash
# The php buildpack with a package of Packagist.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mirror=${SLIPWAY_PACKAGIST_MIRROR:-https://repo.packagist.org}
curl --silent --fail --max-time 20 --output /dev/null "${mirror%/}/packages.json" ||
    skip "Packagist, the registry of PHP packages, cannot be reached (SLIPWAY_PACKAGIST_MIRROR names another)"

app=$work_dir/app
mkdir -p "$app/public"
echo '{"require": {"psr/log": "3.0.0"}}' >"$app/composer.json"
echo '<?php require "../vendor/autoload.php"; echo Psr\Log\LogLevel::INFO;' >"$app/public/index.php"
use_app "$app"
debian_packages php
run build php "${debian_environment[@]}"
equal "a package of the registry is installed" 0 "$status"
equal "and can be used" info "$(cd "$work_dir/workspace/public" && env "${debian_environment[@]}" \
    PHPRC="$(cat "$work_dir/layers/php/env/PHPRC.override")" "$work_dir/layers/php/bin/php" index.php)"
cp "$work_dir/workspace/composer.lock" "$app/"
keep_only_cached
use_app "$app"
run build php "${debian_environment[@]}" HTTPS_PROXY="$closed_port" https_proxy="$closed_port"
equal "a second build downloads nothing" 0 "$status"

finish
