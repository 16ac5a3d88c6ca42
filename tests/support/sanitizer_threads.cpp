// What ThreadSanitizer has to know of the programs, and of the tests: it does not see the locks in
// the C library that guard what locales share.
extern "C" const char* __tsan_default_suppressions() {
    return "race:__gconv_\n"
           "race:_nl_\n"
           "race:__freelocale\n";
}
