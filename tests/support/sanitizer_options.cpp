// What a sanitizer does in the programs: they start one another with an environment of their own,
// so that no ASAN_OPTIONS reaches slipway-worker. Nobody reads what that says, so a find goes to a
// file, and the test sanitizer_reports fails for each.
#define COMMON "log_path=" SLIPWAY_SANITIZER_REPORTS "/report:log_exe_name=1:"

extern "C" {

const char* __asan_default_options() {
    return COMMON "detect_stack_use_after_return=1:strict_string_checks=1";
}
const char* __ubsan_default_options() {
    return COMMON "halt_on_error=1:print_stacktrace=1";
}
const char* __tsan_default_options() {
    return COMMON "second_deadlock_stack=1";
}
}
