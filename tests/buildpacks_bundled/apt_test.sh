#!/usr/bin/env bash
# The apt buildpack, with a small signed repository made here: no network is needed.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
for program in apt-get dpkg-deb dpkg-scanpackages gpg; do
    command -v "$program" >/dev/null || skip "this machine has no $program"
done

layers=$work_dir/layers
architecture=$(dpkg --print-architecture)
repository=$work_dir/repository
export GNUPGHOME=$work_dir/gnupg
mkdir -m 0700 "$GNUPGHOME"
mkdir -p "$repository"
gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
    --quick-generate-key 'test <test@example.com>' ed25519 sign 0
gpg --batch --quiet --armor --export >"$work_dir/key.asc"

# package NAME VERSION DEPENDS: from the files in $work_dir/package.
package() {
    mkdir -p "$work_dir/package/DEBIAN"
    printf '%s\n' "Package: $1" "Version: $2" "Architecture: $architecture" "Depends: $3" \
        'Maintainer: test <test@example.com>' 'Description: test' >"$work_dir/package/DEBIAN/control"
    printf '#!/bin/sh\ntouch "%s/script-ran"\n' "$work_dir" >"$work_dir/package/DEBIAN/postinst"
    chmod 0755 "$work_dir/package/DEBIAN/postinst"
    dpkg-deb --root-owner-group --build "$work_dir/package" \
        "$repository/$1_${2//:/%3a}_$architecture.deb" >/dev/null
    rm -rf "$work_dir/package"
}
file() { # PATH TEXT
    mkdir -p "$work_dir/package/$(dirname "$1")"
    printf '%s\n' "$2" >"$work_dir/package/$1"
}
publish() { # NOTE: which makes these lists other lists
    (
        cd "$repository" || exit
        dpkg-scanpackages --multiversion . >Packages 2>/dev/null
        {
            printf 'Suite: test\nDescription: %s\nDate: Mon, 01 Jan 2024 00:00:00 UTC\nSHA256:\n' "$1"
            printf ' %s %s Packages\n' "$(sha256sum <Packages | cut -d ' ' -f 1)" \
                "$(stat -c %s Packages)"
        } >Release
        gpg --batch --quiet --yes --clearsign --output InRelease Release
    )
}

file usr/lib/libgreet.so.1 library
file usr/lib/libgreet.so.1.pc ignored
ln -s /usr/lib/libgreet.so.1 "$work_dir/package/usr/lib/libgreet.so"
file usr/lib/pkgconfig/greet.pc $'prefix=/usr\nincludedir=/usr/include/greet\nother=/usr/elsewhere'
file usr/include/greet/greet.h '#define GREET'
file usr/bin/greet-config $'#!/bin/sh\necho -I/usr/include/greet'
file usr/share/doc/libgreet/copyright licence
file usr/share/doc/libgreet/changelog news
file env/LD_PRELOAD 'not for a package to say'
package libgreet 1:1.0-1 ''
file usr/bin/greet 'greetings'
file usr/bin/greeted $'#!/usr/bin/greet --politely\nscript'
chmod 0755 "$work_dir/package/usr/bin/greeted"
file bin/greet-early 'unpacked beside it'
ln -s ../missing-everywhere "$work_dir/package/usr/bin/dangling"
package greet 1.0-1 'libgreet (>= 1:1.0), coreutils'
file usr/bin/other other
package other 2.0 ''
publish first

# A server that writes down what is asked of it.
: >"$work_dir/server"
python3 -u -m http.server --bind 127.0.0.1 --directory "$repository" 0 \
    >"$work_dir/server" 2>"$work_dir/requests" &
server=$!
trap 'kill "$server"; rm -rf "$work_dir"' EXIT
until address=$(grep -oE 'http://127[0-9.:]+' "$work_dir/server"); do kill -0 "$server"; done
archives_fetched() {
    grep -c '"GET .*\.deb .* 200' "$work_dir/requests" || true
}

# The sources of the "build image".
mkdir "$work_dir/parts"
echo "deb [signed-by=$work_dir/key.asc] $address ./" >"$work_dir/parts/test.list"
printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "%s";\n' "$work_dir/parts" \
    >"$work_dir/apt.conf"
export APT_CONFIG=$work_dir/apt.conf

app_with() { # APTFILE
    rm -rf "$work_dir/workspace"
    mkdir "$work_dir/workspace"
    printf '%b' "$1" >"$work_dir/workspace/Aptfile"
}
# The build of what other buildpacks require; run() empties the plan.
required() { # TOML
    printf '%s\n' "$1" >"$work_dir/required.toml"
    run build apt CNB_BP_PLAN_PATH="$work_dir/required.toml"
}

app_with 'greet # a comment\n'
run build apt
equal "an Aptfile is built" 0 "$status"
holds "the packages are counted" "$output" "Unpacked 2 packages: greet and what they need"
equal "the package is there" greetings "$(cat "$layers/packages/usr/bin/greet")"
equal "/bin and /usr/bin are one" "unpacked beside it" \
    "$(cat "$layers/packages/usr/bin/greet-early")"
equal "its dependency is there" library "$(cat "$layers/packages/usr/lib/libgreet.so.1")"
equal "an absolute link stays in the layer" library "$(cat "$layers/packages/usr/lib/libgreet.so")"
equal "pkg-config names the layer" "$layers/packages/usr $layers/packages/usr/include/greet" \
    "$(sed -n 's/^prefix=//p; s/^includedir=//p' \
        "$layers/packages/usr/lib/pkgconfig/greet.pc" | paste -sd ' ')"
holds "and what is not in the layer stays" \
    "$(cat "$layers/packages/usr/lib/pkgconfig/greet.pc")" "other=/usr/elsewhere"
holds "a script with compiler flags names the layer" \
    "$(cat "$layers/packages/usr/bin/greet-config")" "-I$layers/packages/usr/include/greet"
equal "a script names its interpreter in the layer" \
    "#!$layers/packages/usr/bin/greet --politely script" \
    "$(paste -sd ' ' "$layers/packages/usr/bin/greeted")"
equal "documentation is left out, but for copyright" copyright \
    "$(ls "$layers/packages/usr/share/doc/libgreet")"
equal "no maintainer script ran" no "$([[ -e $work_dir/script-ran ]] && echo yes || echo no)"
equal "a package says nothing in the layer's environment" no \
    "$([[ -e $layers/packages/env/LD_PRELOAD ]] && echo yes || echo no)"
equal "PATH leads into the layer" "$layers/packages/usr/bin" \
    "$(cat "$layers/packages/env/PATH.prepend")"
equal "libraries are found" "$layers/packages/usr/lib" \
    "$(cat "$layers/packages/env/LD_LIBRARY_PATH.prepend")"
equal "the packages are there at both times" "launch = true build = true cache = true" \
    "$(sed -n 2,4p "$layers/packages.toml" | paste -sd ' ')"
first=$(image_hash)

keep_only_cached
app_with 'greet # a comment\n'
run build apt
holds "a second build uses what is there" "$output" "Using 2 packages from the cache: nothing changed"
equal "a second build gives the same image" "$first" "$(image_hash)"
equal "and fetches no archive" 2 "$(archives_fetched)"

keep_only_cached
publish second
run build apt
holds "news of other packages changes nothing" "$output" "Using 2 packages from the cache: none is newer"
equal "nor the image" "$first" "$(image_hash)"
equal "and no archive is fetched" 2 "$(archives_fetched)"

forget_layers
run build apt
equal "a build without a cache gives the same image" "$first" "$(image_hash)"

keep_only_cached
mv "$repository" "$repository.away"
run build apt
equal "without an answer the lists of an earlier build do" 0 "$status"
holds "with a warning" "$output" "WARNING: the lists of packages could not be refreshed"
equal "for the same image" "$first" "$(image_hash)"
mv "$repository.away" "$repository"

keep_only_cached
file usr/bin/greet 'new greetings'
package greet 1.0-2 'libgreet'
publish third
run build apt
equal "only that is fetched" 5 "$(archives_fetched)"
equal "a newer package is used" "new greetings" "$(cat "$layers/packages/usr/bin/greet")"
app_with 'greet=1.0-1\n'
run build apt
equal "a version can be named" greetings "$(cat "$layers/packages/usr/bin/greet")"

forget_layers
rm "$work_dir/workspace/Aptfile"
required '
[[entries]]
name = "debian-packages"
[entries.metadata]
packages = ["other"]
build = true
[[entries]]
name = "debian-packages"
[entries.metadata]
packages = ["libgreet"]
launch = true
[[entries]]
name = "debian-packages"
[entries.metadata]
packages = ["other"]
launch = false
build = true'
equal "what buildpacks require is built" 0 "$status"
equal "the image has what is for launch" no-other \
    "$([[ -e $layers/packages/usr/bin/other ]] || echo no-other)"
equal "launch alone is launch alone" "launch = true build = false" \
    "$(sed -n 2,3p "$layers/packages.toml" | paste -sd ' ')"
equal "what is for the build has its own layer" "launch = false build = true" \
    "$(sed -n 2,3p "$layers/build-packages.toml" | paste -sd ' ')"
equal "of which buildpacks learn" "$layers/build-packages" \
    "$(cat "$layers/build-packages/env.build/DEBIAN_BUILD_PACKAGES_DIR.override")"
required '
[[entries]]
name = "debian-packages"
[entries.metadata]
packages = ["other"]'
holds "packages for neither are refused" "$output" "neither for the build nor for the image"

# refused TEXT APTFILE
refused() {
    app_with "$2"
    run build apt
    equal "refused: $1" 1 "$status"
    holds "and says: $1" "$output" "ERROR: $1"
}
refused "Aptfile, line 2: '--force' is an option" 'greet\n--force\n'
refused "Aptfile, line 1: 'greet:armhf' names a package of another architecture" 'greet:armhf\n'
refused "Aptfile, line 1: 'greet-' would remove" 'greet-\n'
refused "Aptfile, line 1: 'gre*' is no name" 'gre*\n'
refused "Aptfile, line 3: nothing proves what" '\n\nhttp://example.com/x.deb\n'
refused "Aptfile, line 1: the option trusted=yes is not allowed" \
    ':repo:deb [trusted=yes] http://example.com/ ./\n'
refused "Aptfile, line 1: there is no file none.asc" \
    ':repo:deb [signed-by=none.asc] http://example.com/ ./\n'
refused "Aptfile, line 1: this is no repository" ':repo:rpm http://example.com/ ./\n'
refused "apt finds no way" 'no-such-package-anywhere\n'
holds "with apt's words" "$output" "Unable to locate package no-such-package-anywhere"

# Another C library cannot be in a layer.
other_library=$(dpkg-query --show --showformat '${Version}' libc6 | sed 's/-.*//').9-1
package libc6 "$other_library" ''
package modern 1 "libc6 (>= $other_library)"
publish fourth
refused "what is asked for needs the C library $other_library" 'modern\n'
rm "$repository"/{libc6,modern}_*
publish fifth

# A .deb file by its address.
sum=$(sha256sum <"$repository/greet_1.0-2_$architecture.deb" | cut -d ' ' -f 1)
forget_layers
app_with "$address/greet_1.0-2_$architecture.deb#sha256=$sum\n"
run build apt
equal "a .deb file is unpacked with what it depends on" "0 new greetings library" \
    "$status $(cat "$layers/packages/usr/bin/greet" "$layers/packages/usr/lib/libgreet.so.1" |
        paste -sd ' ')"
fetched=$(archives_fetched)
run build apt
holds "and used again" "$output" "Using 2 packages from the cache"
equal "without fetching it" "$fetched" "$(archives_fetched)"
refused "$address/greet_1.0-2_$architecture.deb is another file than the Aptfile says" \
    "$address/greet_1.0-2_$architecture.deb#sha256=${sum//[0-9]/0}\n"

# A repository of the app, with its key; and one whose key is another.
echo '# none' >"$work_dir/parts/test.list"
app_with "other\n:repo:deb [signed-by=key.asc] $address ./\n"
cp "$work_dir/key.asc" "$work_dir/workspace/"
forget_layers
run build apt
equal "a repository of the app is used" other "$(cat "$layers/packages/usr/bin/other")"
GNUPGHOME=$work_dir/gnupg2
mkdir -m 0700 "$GNUPGHOME"
gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
    --quick-generate-key 'else <else@example.com>' ed25519 sign 0
gpg --batch --quiet --armor --export >"$work_dir/workspace/key.asc"
run build apt
equal "another key's signature is none" 1 "$status"
holds "which is told" "$output" "ERROR: a list of packages is not signed as it must be"

# Mirrors stand in for the distribution's addresses, and for no others.
mkdir "$work_dir"/{image,mirrored}
cat >"$work_dir/image/debian.sources" <<'SOURCES'
Types: deb
URIs: http://deb.debian.org/debian
# URIs: http://deb.debian.org/debian
Suites: bookworm
SOURCES
printf '%s\n' 'deb http://deb.debian.org/debian-security bookworm-security main' \
    'deb [arch=amd64] http://security.ubuntu.com/ubuntu jammy-security main' \
    'deb https://apt.example.com/own bookworm main' >"$work_dir/image/more.list"
SLIPWAY_APT_MIRROR=http://one.example/d SLIPWAY_APT_SECURITY_MIRROR=http://two.example/s \
    python3 -I -B "$bundled_dir/apt/lib/sources.py" /none "$work_dir/image" "$work_dir/mirrored"
equal "the mirror is used" "URIs: http://one.example/d" \
    "$(grep '^URIs' "$work_dir/mirrored/debian.sources")"
equal "the security mirror is used, and other repositories stay" \
    "http://two.example/s http://two.example/s https://apt.example.com/own" \
    "$(grep -oE 'https?://[^ ]+' "$work_dir/mirrored/more.list" | paste -sd ' ')"

finish
