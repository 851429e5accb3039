# The files that `make install` installs, below CMAKE_INSTALL_PREFIX and DESTDIR. Nothing goes into /etc: sample configurations are
# installed with the docs.
set(LARDER_MODULES_DIR lib/nginx/modules CACHE STRING "Where the nginx module is installed, below the prefix")
set(doc share/doc/larder)

if(LARDER_MODULE)
    install(TARGETS ngx_http_larder_module LIBRARY DESTINATION ${LARDER_MODULES_DIR})
endif()
if(LARDER_DAEMON)
    install(TARGETS larderd RUNTIME DESTINATION sbin)
    install(TARGETS larderctl RUNTIME DESTINATION bin)
    # Manual pages and completions are generated from the docs and from the tables that the programs print of their options.
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    set(manual ${PROJECT_BINARY_DIR}/manual)
    set(pages ${manual}/larderd.8 ${manual}/larderctl.1 ${manual}/larderd.toml.5 ${manual}/larder-directives.5)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/*.md)
    add_custom_command(OUTPUT ${pages}
        COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/manual $<TARGET_FILE:larderd> $<TARGET_FILE:larderctl> ${manual}
        DEPENDS larderd larderctl tools/manual conf/larderd-minimal.toml docs/CHANGES ${sources})
    add_custom_target(manual ALL DEPENDS ${pages})
    install(FILES ${manual}/larderctl.1 DESTINATION share/man/man1)
    install(FILES ${manual}/larderd.toml.5 ${manual}/larder-directives.5 DESTINATION share/man/man5)
    install(FILES ${manual}/larderd.8 DESTINATION share/man/man8)
    foreach(program larderd larderctl)
        set(completion ${PROJECT_BINARY_DIR}/completion/${program})
        set(complete ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/completion)
        add_custom_command(OUTPUT ${completion}.bash ${completion}.zsh
            COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/completion
            COMMAND ${complete} bash $<TARGET_FILE:${program}> >${completion}.bash
            COMMAND ${complete} zsh $<TARGET_FILE:${program}> >${completion}.zsh
            DEPENDS ${program} tools/completion)
        add_custom_target(${program}_completion ALL DEPENDS ${completion}.bash ${completion}.zsh)
        install(FILES ${completion}.bash DESTINATION share/bash-completion/completions RENAME ${program})
        install(FILES ${completion}.zsh DESTINATION share/zsh/site-functions RENAME _${program})
    endforeach()
    # The unit has the full path of larderd, which depends on the prefix at installation.
    install(CODE "
        set(unit \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/larderd.service\")
        file(READ \"${PROJECT_SOURCE_DIR}/conf/larderd.service\" text)
        string(REPLACE /usr/sbin/larderd \"\${CMAKE_INSTALL_PREFIX}/sbin/larderd\" text \"\${text}\")
        string(REPLACE /usr/share/doc/larder \"\${CMAKE_INSTALL_PREFIX}/${doc}\" text \"\${text}\")
        file(WRITE \"\$ENV{DESTDIR}\${unit}\" \"\${text}\")
        list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${unit}\")")
endif()
install(FILES README.md LICENSE SECURITY.md DESTINATION ${doc})
install(DIRECTORY docs/ DESTINATION ${doc})
install(DIRECTORY conf/ DESTINATION ${doc}/examples FILES_MATCHING PATTERN "*.conf" PATTERN "*.toml")
