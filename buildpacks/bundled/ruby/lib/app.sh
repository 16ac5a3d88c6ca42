# What the app is, as far as the files plainly say: Rails, Rack, or a program.

has_gem() {
    [[ -f Gemfile.lock ]] && grep -qE "^    $1 \\(" Gemfile.lock
}

is_rails() {
    has_gem railties && [[ -f bin/rails ]]
}

# Assets become files of the app. The secret is needed to start Rails and used for nothing.
compile_assets() {
    local status=0 tasks
    if is_rails && [[ -f Rakefile && -d app/assets ]]; then
        export RAILS_ENV=${RAILS_ENV:-production} SECRET_KEY_BASE=${SECRET_KEY_BASE:-unused}
        export SECRET_KEY_BASE_DUMMY=1
        tasks=$(run_bundle exec rake --silent --tasks --all 2>"$scratch_dir/rake.log") || {
            cat "$scratch_dir/rake.log" >&2
            fail "Rails does not start without its database and secrets, so assets cannot be made" \
                "Code that needs them must not run while the app is loaded."
        }
        if grep -q '^rake assets:precompile' <<<"$tasks"; then
            say "Running rake assets:precompile"
            run_bundle exec rake assets:precompile || status=$?
            ((status == 0)) || fail "rake assets:precompile failed (exit $status)"
        fi
    fi
}

web_command() {
    # The app's words are expanded when the image runs.
    # shellcheck disable=SC2016
    if is_rails; then
        echo 'exec bundle exec rails server -p "${PORT:-8080}" -b 0.0.0.0'
    elif [[ -f config.ru ]] && has_gem puma; then
        echo 'exec bundle exec puma -b "tcp://0.0.0.0:${PORT:-8080}"'
    elif [[ -f config.ru ]] && { has_gem rackup || has_gem rack; }; then
        echo 'exec bundle exec rackup --host 0.0.0.0 -p "${PORT:-8080}"'
    elif [[ -f app.rb ]]; then
        echo 'exec bundle exec ruby app.rb'
    fi
}

write_processes() {
    local command
    write_app_environment
    # A Procfile's processes are the app's; a guess beside them would only be in the way.
    [[ ! -f Procfile ]] || return 0
    command=$(web_command)
    if [[ -z $command ]]; then
        say "No bin/rails, config.ru or app.rb, so no process is started: say what to run in a" \
            "Procfile" >&2
        return 0
    fi
    printf '[[processes]]\ntype = "web"\ncommand = ["bash", "-c", "%s"]\ndefault = true\n' \
        "${command//\"/\\\"}"
}

write_app_environment() {
    set_variable ruby env.launch RACK_ENV default production
    set_variable ruby env.launch APP_ENV default production
    if is_rails; then
        set_variable ruby env.launch RAILS_ENV default production
        set_variable ruby env.launch RAILS_LOG_TO_STDOUT default enabled
        set_variable ruby env.launch RAILS_SERVE_STATIC_FILES default enabled
    fi
}
