# The build's vocabulary: slipway_module, slipway_program, slipway_test.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
option(BUILD_TESTING "Build the tests" ON)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -Wno-restrict -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wimplicit-fallthrough -Werror=return-type -fstack-protector-strong)
if(SLIPWAY_WERROR)
    add_compile_options(-Werror)
endif()
if(SLIPWAY_SANITIZE)
    # Without vptr: SOCI hides the type information that this check wants.
    add_compile_options(-fsanitize=${SLIPWAY_SANITIZE} -fno-sanitize=vptr -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${SLIPWAY_SANITIZE})
    # Of the programs that tests start.
    set(SLIPWAY_SANITIZER_REPORTS ${CMAKE_BINARY_DIR}/sanitizer-reports)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(tomlplusplus REQUIRED)

# slipway_module(NAME USES module... LIBRARIES target...)
# A static library of src/*.cpp (SSH door and phases may sit in folders below it). It sees its own
# include/ and the public headers of what it uses, nothing else: an upward include does not compile.
function(slipway_module name)
    cmake_parse_arguments(ARG "" "" "USES;LIBRARIES" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/*.cpp)
    add_library(slipway_${name} STATIC ${sources})
    target_include_directories(slipway_${name} PUBLIC include PRIVATE src)
    list(TRANSFORM ARG_USES PREPEND slipway_)
    target_link_libraries(slipway_${name} PUBLIC ${ARG_USES} PRIVATE ${ARG_LIBRARIES})
endfunction()

# slipway_program(NAME SOURCES file... USES module... LIBRARIES target...)
function(slipway_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    list(TRANSFORM ARG_USES PREPEND slipway_)
    target_link_libraries(${name} PRIVATE ${ARG_USES} ${ARG_LIBRARIES})
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    if(SLIPWAY_SANITIZE)
        target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/sanitizer_options.cpp)
        target_compile_definitions(${name} PRIVATE
            SLIPWAY_SANITIZER_REPORTS="${SLIPWAY_SANITIZER_REPORTS}")
    endif()
    slipway_suppressions(${name})
endfunction()

# slipway_suppressions(TARGET): what is known to be no find.
function(slipway_suppressions target)
    if(SLIPWAY_SANITIZE STREQUAL "thread")
        target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/sanitizer_threads.cpp)
    endif()
endfunction()

# slipway_sanitized(TEST): a test that a build with sanitizers runs as well (label: sanitizer). What
# they find in the programs that it starts fails the test sanitizer_reports, which runs behind all.
function(slipway_sanitized test)
    set_property(TEST ${test} APPEND PROPERTY LABELS sanitizer)
    if(SLIPWAY_SANITIZE)
        set_property(TEST ${test} APPEND PROPERTY FIXTURES_REQUIRED sanitizer_reports)
    endif()
endfunction()

# slipway_test(MODULE [LABELS label...]): tests/MODULE/*_test.cpp against that module alone,
# one ctest entry for each executable.
function(slipway_test module)
    cmake_parse_arguments(ARG "" "" "LABELS;USES;LIBRARIES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${module}/*_test.cpp)
    if(NOT sources)
        return()
    endif()
    add_executable(${module}_tests ${sources})
    list(TRANSFORM ARG_USES PREPEND slipway_)
    target_link_libraries(${module}_tests
        PRIVATE slipway_${module} ${ARG_USES} slipway_test_support ${ARG_LIBRARIES})
    target_compile_definitions(${module}_tests PRIVATE
        SLIPWAY_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SLIPWAY_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
    slipway_suppressions(${module}_tests)
    add_test(NAME ${module} COMMAND ${module}_tests)
    set(timeout 600)
    if(SLIPWAY_SANITIZE)
        set(timeout 3600)
    endif()
    set_tests_properties(${module} PROPERTIES LABELS "unit;${ARG_LABELS}" TIMEOUT ${timeout})
    # Without the sandbox under ThreadSanitizer: tests/scenarios/CMakeLists.txt says why.
    if(NOT (module STREQUAL "engine" AND SLIPWAY_SANITIZE STREQUAL "thread"))
        slipway_sanitized(${module})
    endif()
endfunction()
