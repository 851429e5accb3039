# What `make install` puts where, under CMAKE_INSTALL_PREFIX and DESTDIR. Nothing under /etc: configurations are the operator's, and
# the samples are among the docs.
set(LARDER_MODULES_DIR lib/nginx/modules CACHE STRING "Where the nginx module is installed, below the prefix")
set(doc share/doc/larder)

if(LARDER_MODULE)
    install(TARGETS ngx_http_larder_module LIBRARY DESTINATION ${LARDER_MODULES_DIR})
endif()
if(LARDER_DAEMON)
    install(TARGETS larderd RUNTIME DESTINATION sbin)
    install(TARGETS larderctl RUNTIME DESTINATION bin)
    # The unit names larderd by its full path.
    install(CODE "
        file(READ \"${PROJECT_SOURCE_DIR}/conf/larderd.service\" unit)
        string(REPLACE /usr/sbin/larderd \"\${CMAKE_INSTALL_PREFIX}/sbin/larderd\" unit \"\${unit}\")
        string(REPLACE /usr/share/doc/larder \"\${CMAKE_INSTALL_PREFIX}/${doc}\" unit \"\${unit}\")
        file(WRITE \"${PROJECT_BINARY_DIR}/larderd.service\" \"\${unit}\")")
    install(FILES ${PROJECT_BINARY_DIR}/larderd.service DESTINATION lib/systemd/system)
endif()
install(FILES README.md LICENSE SECURITY.md DESTINATION ${doc})
install(DIRECTORY docs/ DESTINATION ${doc})
install(DIRECTORY conf/ DESTINATION ${doc}/examples FILES_MATCHING PATTERN "*.conf" PATTERN "*.toml")
