# The layer `php`: the program `php`, and a configuration that finds Debian's PHP in a layer.

provide_php() {
    local root=${DEBIAN_PACKAGES_DIR:-} program here
    [[ -n $root ]] || fail "there is no PHP among the Debian packages" \
        "slipway/apt stands before slipway/php in the order."
    clear_layer php
    for program in "$root"/usr/bin/php[0-9]*; do php_version=${program##*/php}; done
    [[ -x $root/usr/bin/php$php_version ]] || fail "Debian's package of PHP has no program"
    mkdir -p "$(layer_dir php)/bin"
    ln -s "$root/usr/bin/php$php_version" "$(layer_dir php)/bin/php"
    write_php_settings "$(layer_dir php)/settings" "$root"
    set_variable php env PHPRC "$(layer_dir php)/settings" override
    set_variable php env PHP_INI_SCAN_DIR "$(layer_dir php)/settings/conf.d:$PWD/.php.d" override
    write_layer php launch,build
    PATH=$(layer_dir php)/bin:$PATH
    PHPRC=$(layer_dir php)/settings
    PHP_INI_SCAN_DIR=$PHPRC/conf.d:$PWD/.php.d
    export PATH PHPRC PHP_INI_SCAN_DIR
    here=$(php -r 'echo PHP_VERSION;') ||
        fail "Debian's PHP does not start; its own words are above"
    say "PHP $here (of Debian)"
}

# write_php_settings DIR ROOT...: a php.ini, and an entry for each extension of the packages. Those of
# a root that comes first win.
write_php_settings() {
    local dir=$1 root file name modules priority kind
    shift
    mkdir -p "$dir/conf.d"
    cp "$1/usr/lib/php/$php_version/php.ini-production" "$dir/php.ini"
    cat >>"$dir/php.ini" <<'INI'

; The settings of the buildpack slipway/php. Errors go to the log, and the log to the terminal.
[PHP]
log_errors = On
error_log =
display_errors = Off
expose_php = Off
variables_order = EGPCS
opcache.validate_timestamps = 0
INI
    for root in "$@"; do
        for modules in "$root"/usr/lib/php/2*/; do
            for file in "$root"/usr/share/php"$php_version"-*/*/*.ini \
                "$root"/usr/share/php-*/*/*.ini; do
                name=$(basename "$file" .ini)
                [[ -f $file && -f $modules$name.so ]] || continue
                priority=$(sed -n 's/^; *priority=\([0-9]*\).*/\1/p' "$file" | head -n 1)
                kind=$(sed -n 's/^\(\(zend_\)\{0,1\}extension\)=.*/\1/p' "$file" | head -n 1)
                if ! compgen -G "$dir/conf.d/*-$name.ini" >/dev/null; then
                    printf '%s=%s%s.so\n' "$kind" "$modules" "$name" \
                        >"$dir/conf.d/${priority:-20}-$name.ini"
                fi
            done
        done
    done
}

# set_variable LAYER ENV NAME VALUE ACTION
set_variable() {
    local dir
    dir=$(layer_dir "$1")/$2
    mkdir -p "$dir"
    printf '%s' "$4" >"$dir/$3.$5"
}
