# Loaded into every Ruby by RUBYOPT. Debian's Ruby is compiled for /usr and finds its library in a
# layer only by RUBYLIB, whose directories come before those of gems: an older json of the library
# would hide a newer one of the bundle. So they go to the end, where the library always is.
library = ENV.fetch("SLIPWAY_RUBY_LIBRARY", "").split(":")
$LOAD_PATH.replace(($LOAD_PATH - library) + library)
