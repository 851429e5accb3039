# The warnings for our own sources: link larder_warnings PRIVATE. Warnings are errors in the dev and sanitizer presets.
option(LARDER_WERROR "Treat warnings as errors" OFF)

add_library(larder_warnings INTERFACE)
target_compile_options(larder_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wimplicit-fallthrough>)
if(LARDER_WERROR)
    target_compile_options(larder_warnings INTERFACE -Werror)
endif()
