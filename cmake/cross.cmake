# SPDX-License-Identifier: MIT
# A Debian cross compiler named by THRUM_TRIPLET, its programs run by qemu-user where that is needed.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES THRUM_TRIPLET)
string(REGEX REPLACE "-.*" "" thrum_machine "${THRUM_TRIPLET}")
string(REGEX REPLACE "^i[3-6]86$" "i386" thrum_machine "${thrum_machine}")
string(REGEX REPLACE "^[^-]+" "${thrum_machine}" thrum_multiarch "${THRUM_TRIPLET}")
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${thrum_machine})
set(CMAKE_C_COMPILER ${THRUM_TRIPLET}-gcc)
# Loader and C library of one build: the machine's own where cmocka has brought them, else the cross
# compiler's. A loader of the one with a library of the other crashes. x86-64 runs i386 by itself.
if(NOT EXISTS /lib/${thrum_multiarch}/libc.so.6)
    set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${thrum_machine} -L /usr/${THRUM_TRIPLET})
elseif(NOT thrum_machine STREQUAL i386)
    set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${thrum_machine})
endif()
