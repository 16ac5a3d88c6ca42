#!/usr/bin/env bash
# The ruby buildpack, with a gem that is made here: what it installs, keeps, refuses and starts.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

layers=$work_dir/layers
app=$work_dir/app
offline=(HTTP_PROXY="$closed_port" HTTPS_PROXY="$closed_port" http_proxy="$closed_port"
    https_proxy="$closed_port")
mkdir -p "$app"
cp -a "$apps_dir/ruby-hello/." "$app/"
mkdir -p "$app/vendor/cache"
"$tests_dir/../fixtures/gems/make-gem" hello_native "$app/vendor/cache"

use_app "$app"
run detect ruby
equal "an app with a Gemfile is taken" "0: found Gemfile" "$status: $output"
debian_packages ruby
use_app "$app"
run build ruby "${debian_environment[@]}" "${offline[@]}"
equal "vendored gems need no network" 0 "$status"
holds "the gems are counted" "$output" "Installed 1 gem"
holds "app.rb is run" "$(cat "$layers/launch.toml")" "exec bundle exec ruby app.rb"

# With what the layers set, as at run time.
run_env=("${debian_environment[@]}")
for file in "$layers"/*/env/*.{default,override}; do
    [[ -f $file ]] && run_env+=("$(basename "${file%.*}")=$(cat "$file")")
done
for name in RUBYLIB GEM_PATH RUBYOPT; do
    run_env+=("$name=$(cat "$layers/ruby/env/$name.prepend")")
done
in_image() {
    (cd "$work_dir/workspace" && env "${run_env[@]}" "$@")
}
equal "the native gem answers" "Hello from Slipway" \
    "$(in_image bundle exec ruby -e 'require "hello_native"; puts HelloNative.greeting')"
equal "gems come before the library" true "$(in_image bundle exec ruby -e '
    p $LOAD_PATH.index { _1.include?("hello_native") } < $LOAD_PATH.index { _1.end_with?("ruby/3.1.0") }')"
equal "the library's own extensions load" true "$(in_image ruby -e '
    require "openssl"; require "psych"; require "json"; puts true')"
first=$(image_hash)

keep_only_cached
use_app "$app"
run build ruby "${debian_environment[@]}" "${offline[@]}"
holds "a second build uses the gems that are there" "$output" "Using 1 gem from the cache"
equal "a second build gives the same image" "$first" "$(image_hash)"

forget_layers
use_app "$app"
run build ruby "${debian_environment[@]}" "${offline[@]}"
equal "a build without a cache gives the same image" "$first" "$(image_hash)"

# refused WORDS FILE TEXT
refused() {
    use_app "$app"
    sed -i '/^ruby /d' "$work_dir/workspace/Gemfile"
    printf '%b' "$3" >>"$work_dir/workspace/$2"
    run build ruby "${debian_environment[@]}" "${offline[@]}"
    equal "refused: $1" 1 "$status"
    holds "and says: $1" "$output" "ERROR: $1"
}
refused "the Gemfile asks for Ruby 3.3.5, and Debian's is 3.1.2" Gemfile 'ruby "3.3.5"\n'
refused "the Gemfile asks for Ruby >= 2.7, < 3.1, and" Gemfile 'ruby ">= 2.7", "< 3.1" # old\n'
refused ".ruby-version asks for Ruby = 3.2.0, and" .ruby-version 'ruby-3.2.0\n'

use_app "$app"
sed -i '/^ruby /d' "$work_dir/workspace/Gemfile"
echo 3.1 >"$work_dir/workspace/.ruby-version"
sed -i '/^RUBY VERSION/,/^$/d' "$work_dir/workspace/Gemfile.lock"
run build ruby "${debian_environment[@]}" "${offline[@]}"
equal "a .ruby-version that fits is fine" 0 "$status"

use_app "$app"
sed -i '/^  ruby$/d; s/^  x86_64-linux/  arm64-darwin-22/' "$work_dir/workspace/Gemfile.lock"
run build ruby "${debian_environment[@]}" "${offline[@]}"
holds "a lock file of another platform is refused" "$output" \
    "ERROR: Gemfile.lock is for arm64-darwin-22, and not for"

forget_layers
use_app "$app"
rm -r "$work_dir/workspace/vendor"
run build ruby "${debian_environment[@]}" "${offline[@]}" BUNDLE_RETRY=0
equal "without the gem and without a network the build fails" 1 "$status"
holds "and says so" "$output" "ERROR: Bundler could not install the gems"

# The web process, by what lies there.
process_of() { # WHAT EXPECTED FILE... ; gems in $gems
    local what=$1 expected=$2 file
    shift 2
    rm -rf "$work_dir/guess"
    mkdir -p "$work_dir/guess"
    for file in "$@"; do install -D /dev/null "$work_dir/guess/$file"; done
    # shellcheck disable=SC2086
    printf '    %s (1.0)\n' $gems >"$work_dir/guess/Gemfile.lock"
    holds "$what" "$(cd "$work_dir/guess" && source "$bundled_dir/ruby/lib/app.sh" && web_command)." \
        "$expected"
}
gems="rack railties puma" process_of "a Rails app" "rails server -p" bin/rails config.ru
gems="rack puma" process_of "a Rack app with Puma" "puma -b" config.ru
gems="rack rackup" process_of "a Rack app" "rackup --host 0.0.0.0" config.ru app.rb
gems="" process_of "nothing that is clear" "." main.rb

finish
