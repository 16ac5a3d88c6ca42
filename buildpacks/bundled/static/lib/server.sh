# The layer `server`: lighttpd out of the build image with the libraries that a run image may lack,
# the configuration, and the program that starts it.

provide_server() {
    local dir binary modules
    binary=$(find_binary)
    modules=$(find_modules)
    server_version=$("$binary" -v | sed -n 's#^lighttpd/\([0-9.]*\).*#\1#p')
    clear_layer server
    dir=$(layer_dir server)
    mkdir -p "$dir/bin" "$dir/lighttpd/lib" "$dir/lighttpd/modules"
    cp "$binary" "$dir/lighttpd/lighttpd"
    cp "$modules/mod_accesslog.so" "$dir/lighttpd/modules/"
    copy_libraries "$binary" "$dir/lighttpd/lib"
    copy_error_page "$dir/lighttpd/errors"
    chmod -R u+rwX,go+rX,go-w "$dir"
    [[ -z $fallback || -f $root/$fallback ]] ||
        fail "'$fallback', to which static.json sends all paths, is not a file in $root"
    write_configuration >"$dir/lighttpd/lighttpd.conf"
    write_start_program >"$dir/bin/serve-files"
    chmod 0755 "$dir/bin/serve-files"
    write_layer server launch version "$server_version"
    printf '[[processes]]\ntype = "web"\ncommand = ["%s/bin/serve-files"]\ndefault = true\n' \
        "$dir" >"$CNB_LAYERS_DIR/launch.toml"
}

find_binary() {
    local file
    for file in /usr/sbin/lighttpd /usr/bin/lighttpd; do
        if [[ -x $file ]]; then
            echo "$file"
            return 0
        fi
    done
    fail "the build image has no lighttpd" \
        "Use the stack debian-12, or a build image with Debian's package lighttpd."
}

find_modules() {
    local dir
    for dir in /usr/lib/lighttpd /usr/lib/*/lighttpd /usr/lib64/lighttpd; do
        if [[ -f $dir/mod_accesslog.so ]]; then
            echo "$dir"
            return 0
        fi
    done
    fail "the build image has lighttpd without its module mod_accesslog"
}

# The C library stays the run image's own: its parts only work together.
copy_libraries() {
    local file
    ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | while read -r file; do
        case ${file##*/} in
        libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libresolv.so.*) ;;
        *) cp -L "$file" "$2/" ;;
        esac
    done
}

# An error page keeps the status 404 only where lighttpd finds it under that name.
copy_error_page() {
    [[ -n $error_page ]] || return 0
    [[ -f $root/$error_page ]] ||
        fail "the error page '$error_page' of static.json is not a file in $root"
    mkdir -p "$1"
    cp -L "$root/$error_page" "$1/404.html"
}

write_configuration() {
    cat <<CONF
# Made by the buildpack slipway/static.
server.document-root = "$PWD/${root#.}"
server.port = env.PORT
server.bind = "0.0.0.0"
server.tag = ""
server.modules = ("mod_access", "mod_accesslog")
server.follow-symlink = "enable"
index-file.names = ("index.html")
accesslog.filename = "/dev/fd/3"
accesslog.format = "%h %r %>s %b %D"

# Nothing that begins with a dot is served, but for what certificates are issued by.
\$HTTP["url"] =~ "/\.(?!well-known/)" { url.access-deny = ("") }

# The app's source is beside its pages when it has no directory of its own for them.
\$HTTP["url"] =~ "^/(Procfile|static\.json)\$" { url.access-deny = ("") }
CONF
    if [[ -n $error_page ]]; then
        printf '\nserver.errorfile-prefix = "%s/lighttpd/errors/"\n' "$(layer_dir server)"
    fi
    # A single-page app: its page answers with 200 for whatever is not a file.
    if [[ -n $fallback ]]; then printf '\nserver.error-handler-404 = "/%s"\n' "$fallback"; fi
    printf '\n'
    cat "$CNB_BUILDPACK_DIR/lib/mime_types.conf"
}

write_start_program() {
    cat <<'PROGRAM'
#!/bin/bash
# Starts lighttpd on $PORT. Made by the buildpack slipway/static.
set -eu
export PORT=${PORT:-8080}
if [[ ! $PORT =~ ^[0-9]{1,5}$ ]]; then
    echo "PORT is '$PORT'; it must be a number" >&2
    exit 64
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../lighttpd" && pwd)
export LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# lighttpd opens its log by name. Standard output itself may belong to another user, who started the
# container; a pipe of our own can always be opened.
exec 3> >(exec cat)
exec "$here/lighttpd" -D -f "$here/lighttpd.conf" -m "$here/modules"
PROGRAM
}
