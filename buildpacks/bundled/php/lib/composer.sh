# The packages of composer.json, in vendor/ of the app. The layer `composer-cache` keeps downloads.

install_packages() {
    local status=0 tools=${DEBIAN_BUILD_PACKAGES_DIR:-}
    [[ -f $tools/usr/bin/composer ]] || fail "there is no Composer among the Debian packages"
    if [[ ! -f composer.lock ]]; then
        warn "no composer.lock: other packages may be installed tomorrow; commit the one that" \
            "'composer update' makes"
    fi
    write_composer_program "$tools"
    write_composer_settings
    say "Running composer install"
    "$scratch_dir/bin/composer" install --no-dev --no-interaction --no-progress --prefer-dist \
        --optimize-autoloader 2>&1 || status=$?
    ((status == 0)) || fail \
        "composer could not install the packages (exit $status); its own words are above" \
        "Extensions are Debian packages: composer.json asks for them as \"ext-NAME\": \"*\"."
    check_platform
}

# Composer's own PHP has extensions that the image has not, and those of the image.
write_composer_program() {
    local tools=$1
    write_php_settings "$scratch_dir/composer-php" "$tools" "$DEBIAN_PACKAGES_DIR"
    mkdir -p "$scratch_dir/bin"
    printf '#!/bin/sh\nPHPRC=%s PHP_INI_SCAN_DIR=%s/conf.d exec %s %s "$@"\n' \
        "$scratch_dir/composer-php" "$scratch_dir/composer-php" \
        "$tools/usr/bin/php$php_version" "$tools/usr/bin/composer" >"$scratch_dir/bin/composer"
    chmod 0755 "$scratch_dir/bin/composer"
    # Scripts of composer.json call it too.
    PATH=$scratch_dir/bin:$PATH
}

write_composer_settings() {
    local suffix
    COMPOSER_HOME=$scratch_dir/composer-home
    COMPOSER_CACHE_DIR=$(layer_dir composer-cache)
    export COMPOSER_HOME COMPOSER_CACHE_DIR COMPOSER_NO_INTERACTION=1 COMPOSER_DISABLE_XDEBUG_WARN=1
    mkdir -p "$COMPOSER_HOME" "$COMPOSER_CACHE_DIR"
    write_layer composer-cache cache
    # Composer would name its class loader at random, and no two builds would be the same.
    suffix=$({ cat composer.json composer.lock 2>/dev/null || true; } | sha256sum | cut -c 1-32)
    # shellcheck disable=SC2016 # PHP's variables
    php -r '
        $settings = ["config" => ["autoloader-suffix" => $argv[1]]];
        if ($argv[2] !== "") {
            $settings["repositories"]["packagist.org"] = ["type" => "composer", "url" => $argv[2]];
        }
        echo json_encode($settings);
    ' -- "$suffix" "${SLIPWAY_PACKAGIST_MIRROR:-}" >"$COMPOSER_HOME/config.json"
}

# What the installed packages need of PHP, asked of the PHP that the image has.
check_platform() {
    [[ -f vendor/composer/platform_check.php ]] || return 0
    php -r 'require "vendor/composer/platform_check.php";' >&2 || fail \
        "the packages need what the image's PHP does not have; the lines above tell" \
        "Name missing extensions in composer.json, as \"ext-NAME\": \"*\" in require."
}
