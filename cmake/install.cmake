# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)

install(TARGETS ${thrum_libraries} EXPORT thrumTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.def")

configure_file(${PROJECT_SOURCE_DIR}/cmake/thrum.pc.in ${PROJECT_BINARY_DIR}/thrum.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/thrum.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(thrum_package ${CMAKE_INSTALL_LIBDIR}/cmake/thrum)
install(EXPORT thrumTargets NAMESPACE thrum:: DESTINATION ${thrum_package})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/thrumConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/thrumConfig.cmake
                              INSTALL_DESTINATION ${thrum_package})
# SameMinorVersion: while the version is 0.x, a minor release may break.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/thrumConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/thrumConfig.cmake
              ${PROJECT_BINARY_DIR}/thrumConfigVersion.cmake
        DESTINATION ${thrum_package})

find_program(THRUM_PYTHON python3)
if(THRUM_PYTHON)
    file(GLOB thrum_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/thrum/*.h)
    add_custom_command(
        OUTPUT ${PROJECT_BINARY_DIR}/man/stamp
        COMMAND ${THRUM_PYTHON} ${PROJECT_SOURCE_DIR}/tools/doc_from_headers.py
                --version ${PROJECT_VERSION} ${PROJECT_BINARY_DIR}/man ${thrum_headers}
        COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/man/stamp
        DEPENDS ${thrum_headers} ${PROJECT_SOURCE_DIR}/tools/doc_from_headers.py
                ${PROJECT_SOURCE_DIR}/tools/csource.py
        COMMENT "Writing the man pages" VERBATIM)
    add_custom_target(docs ALL DEPENDS ${PROJECT_BINARY_DIR}/man/stamp)
    install(DIRECTORY ${PROJECT_BINARY_DIR}/man/man3 DESTINATION ${CMAKE_INSTALL_MANDIR})
endif()
