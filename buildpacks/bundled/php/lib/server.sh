# The layer `server`: lighttpd's configuration and the program that starts it. lighttpd starts PHP
# itself (FastCGI), so one process is to be watched and one ends it all.

# Sets root, relative to the app.
choose_root() {
    root=${SLIPWAY_PHP_ROOT:-}
    if [[ -n $root ]]; then
        [[ -d $root && $root != /* && /$root/ != */../* ]] ||
            fail "SLIPWAY_PHP_ROOT is '$root', which is not a directory of the app"
        return 0
    fi
    for root in public web .; do
        if [[ -f $root/index.php ]]; then return 0; fi
    done
    root=.
    for root in public web .; do
        if [[ -d $root ]]; then return 0; fi
    done
}

provide_server() {
    local dir packages=$DEBIAN_PACKAGES_DIR modules
    clear_layer server
    dir=$(layer_dir server)
    mkdir -p "$dir/bin"
    for modules in "$packages"/usr/lib/lighttpd "$packages"/usr/lib/*/lighttpd; do
        if [[ -f $modules/mod_accesslog.so ]]; then break; fi
    done
    [[ -x $packages/usr/sbin/lighttpd && -f $modules/mod_accesslog.so ]] ||
        fail "there is no lighttpd among the Debian packages"
    write_configuration >"$dir/lighttpd.conf"
    write_start_program "$packages/usr/sbin/lighttpd" "$modules" >"$dir/bin/serve-php"
    chmod 0755 "$dir/bin/serve-php"
    write_layer server launch
    : >"$CNB_LAYERS_DIR/launch.toml"
    if [[ ! -f Procfile ]] || ! grep -q '^web:' Procfile; then
        printf '[[processes]]\ntype = "web"\ncommand = ["%s/bin/serve-php"]\ndefault = true\n' \
            "$dir" >"$CNB_LAYERS_DIR/launch.toml"
    fi
    say "Serves $root/ with lighttpd and PHP on \$PORT (8080 when it is not set)"
}

# What is no file goes to index.php, as frameworks expect. A file that only PHP should read is not
# served: dot files anywhere, and what lies beside index.php when the app has no public/.
write_configuration() {
    cat <<CONF
# Made by the buildpack slipway/php.
server.document-root = "$PWD${root:+/}${root#.}"
server.port = env.PORT
server.bind = "0.0.0.0"
server.tag = ""
server.modules = ("mod_rewrite", "mod_access", "mod_fastcgi", "mod_accesslog")
server.follow-symlink = "enable"
server.upload-dirs = ("/tmp")
index-file.names = ("index.php", "index.html")
accesslog.filename = "/dev/fd/3"
accesslog.format = "%h %r %>s %b %D"
static-file.exclude-extensions = (".php")

\$HTTP["url"] =~ "/\.(?!well-known/)" { url.access-deny = ("") }
\$HTTP["url"] =~ "^/(vendor/|Procfile\$|Aptfile\$|composer\.(json|lock)\$)" { url.access-deny = ("") }

fastcgi.server = (".php" => ((
    "bin-path" => "$DEBIAN_PACKAGES_DIR/usr/bin/php-cgi$php_version",
    "socket" => env.PHP_SOCKET,
    "max-procs" => 1,
    "bin-environment" => ("PHP_FCGI_CHILDREN" => env.PHP_FCGI_CHILDREN, "PHP_FCGI_MAX_REQUESTS" => "1000"),
    "broken-scriptfilename" => "enable"
)))
CONF
    if [[ -f $root/index.php ]]; then write_front_controller; fi
    printf '\n'
    cat "$CNB_BUILDPACK_DIR/lib/mime_types.conf"
}

# lighttpd would rewrite directories, too: those with an index of their own are left alone, and so is
# what stands behind a script's name.
write_front_controller() {
    local own
    own=$(cd "$root" && find . -mindepth 2 -maxdepth 6 \( -name vendor -o -name node_modules \) -prune \
        -o -regex '[A-Za-z0-9_./-]*/index\.\(php\|html\)' -printf '%h\n' | sort -u |
        sed 's#^\./##; s#\.#\\.#g' | paste -sd '|')
    cat <<CONF

\$HTTP["url"] !~ "^/(?:${own:+(?:$own)/?\$|}.*\.php/)" {
    url.rewrite-if-not-file = ("^/[^?]*(\?.*)?\$" => "/index.php\$1")
}
CONF
}

write_start_program() {
    cat <<PROGRAM
#!/bin/bash
# Starts lighttpd and PHP on \$PORT. Made by the buildpack slipway/php.
set -eu
export PORT=\${PORT:-8080} PHP_FCGI_CHILDREN=\${PHP_FCGI_CHILDREN:-\${WEB_CONCURRENCY:-4}}
for name in PORT PHP_FCGI_CHILDREN; do
    if [[ ! \${!name} =~ ^[0-9]{1,5}\$ ]]; then
        echo "\$name is '\${!name}'; it must be a number" >&2
        exit 64
    fi
done
export PHP_SOCKET=\${TMPDIR:-/tmp}/php-\$\$.socket
# lighttpd opens its log by name. Standard output itself may belong to another user, who started the
# container; a pipe of our own can always be opened.
exec 3> >(exec cat)
exec "$1" -D -f "$(layer_dir server)/lighttpd.conf" -m "$2"
PROGRAM
}
