# The layer `ruby`: what makes Debian's Ruby work in a layer, at build and at run time.

provide_ruby() {
    local root=${DEBIAN_PACKAGES_DIR:-}
    [[ -n $root && -x $root/usr/bin/ruby ]] || fail "there is no Ruby among the Debian packages" \
        "slipway/apt stands before slipway/ruby in the order."
    clear_layer ruby
    write_ruby_environment "$root"
    write_layer ruby launch,build
    ruby_version=$(ruby -e 'print RUBY_VERSION') || fail "Debian's Ruby does not start"
    bundler_version=$(ruby -e 'require "bundler"; print Bundler::VERSION') ||
        fail "Debian's Bundler does not start"
    # Bundler would fetch the version that wrote the lock file, and start that.
    set_variable ruby env BUNDLER_VERSION default "$bundler_version"
    export BUNDLER_VERSION=${BUNDLER_VERSION:-$bundler_version}
    say "Ruby $ruby_version and Bundler $bundler_version (of Debian)"
}

# Written into the layer for those who come after, and set for the rest of this build.
write_ruby_environment() {
    local root=$1 dir api library=() gems=() pattern
    for dir in "$root"/usr/lib/ruby/[0-9]*; do api=${dir##*/}; done
    [[ -n ${api:-} ]] || fail "Debian's package of Ruby has no library"
    for pattern in "ruby/vendor_ruby/$api" "*/ruby/vendor_ruby/$api" ruby/vendor_ruby \
        "ruby/$api" "*/ruby/$api"; do
        for dir in "$root"/usr/lib/$pattern; do
            if [[ -d $dir ]]; then library+=("$dir"); fi
        done
    done
    for dir in "$root/usr/share/rubygems-integration/$api" "$root/usr/share/rubygems-integration/all" \
        "$root"/usr/lib/*/rubygems-integration/"$api" "$root/usr/lib/ruby/gems/$api"; do
        if [[ -d $dir ]]; then gems+=("$dir"); fi
    done
    cp "$CNB_BUILDPACK_DIR/lib/relocate.rb" "$(layer_dir ruby)/relocate.rb"
    RUBYLIB=$(joined "${library[@]}")${RUBYLIB:+:$RUBYLIB}
    GEM_PATH=$(joined "${gems[@]}")${GEM_PATH:+:$GEM_PATH}
    RUBYOPT="-r$(layer_dir ruby)/relocate${RUBYOPT:+ $RUBYOPT}"
    SLIPWAY_RUBY_LIBRARY=$(joined "${library[@]}")
    export RUBYLIB GEM_PATH RUBYOPT SLIPWAY_RUBY_LIBRARY
    set_variable ruby env RUBYLIB prepend "$SLIPWAY_RUBY_LIBRARY" :
    set_variable ruby env GEM_PATH prepend "$(joined "${gems[@]}")" :
    set_variable ruby env RUBYOPT prepend "-r$(layer_dir ruby)/relocate" ' '
    set_variable ruby env SLIPWAY_RUBY_LIBRARY override "$SLIPWAY_RUBY_LIBRARY"
    set_variable ruby env LANG default C.UTF-8
}

joined() {
    local IFS=:
    printf '%s' "$*"
}

# set_variable LAYER ENV NAME ACTION VALUE [DELIMITER]
set_variable() {
    local dir
    dir=$(layer_dir "$1")/$2
    mkdir -p "$dir"
    printf '%s' "$5" >"$dir/$3.$4"
    if (($# > 5)); then printf '%s' "$6" >"$dir/$3.delim"; fi
}

# The Ruby that the Gemfile, or else .ruby-version, asks for has to be the one that Debian has.
check_wished_version() {
    local wish
    wish=$(ruby "$CNB_BUILDPACK_DIR/lib/wished_version.rb") || exit 1
    [[ -z $wish ]] || fail "$wish, and Debian's is $ruby_version" \
        "Ask for what Debian has, such as: ruby \"~> ${ruby_version%.*}.0\"" \
        "Other versions of Ruby are not in this stack's distribution."
}

# A lock file that was made on another kind of machine has no gems for this one.
check_platforms() {
    local platforms
    [[ -f Gemfile.lock ]] || return 0
    platforms=$(sed -n '/^PLATFORMS/,/^$/s/^  *//p' Gemfile.lock)
    [[ -n $platforms ]] || return 0
    grep -qE "^(ruby|$(uname -m)-linux(-gnu)?)$" <<<"$platforms" || fail \
        "Gemfile.lock is for ${platforms//$'\n'/, }, and not for $(uname -m)-linux" \
        "Run this and commit Gemfile.lock: bundle lock --add-platform $(uname -m)-linux"
}
