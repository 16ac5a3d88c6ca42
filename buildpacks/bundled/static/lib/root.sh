# Which directory is served.

# The root of the app comes last: a built site often has its sources beside it.
find_root() {
    local dir
    for dir in public dist _site .; do
        if [[ -f $dir/index.html ]]; then
            echo "$dir"
            return 0
        fi
    done
    return 1
}

# Sets root (relative), error_page and fallback (relative to root, or empty).
choose_root() {
    local settings
    error_page= fallback=
    if [[ -f static.json ]]; then
        settings=$(helper static_json.py) || exit 1
        {
            read -r root
            # $(...) drops empty last lines
            read -r error_page || true
            read -r fallback || true
        } <<<"$settings"
        [[ -n $root ]] || root=$(find_root) ||
            fail "static.json has no root, and there is no index.html in ., public, dist or _site" \
                "Add \"root\": \"DIRECTORY\" to static.json."
    else
        root=$(find_root) || fail "no index.html in ., public, dist or _site"
    fi
    [[ -d $root ]] ||
        fail "the root '$root' of static.json is not a directory of the app" \
            "A directory that a build makes has to be committed, or made by another buildpack."
    if [[ -z $error_page && -f $root/404.html ]]; then error_page=404.html; fi
}

describe_root() {
    if [[ $root == . ]]; then echo "the app's own directory"; else echo "$root/"; fi
}
