# SPDX-License-Identifier: MIT
# A Debian cross compiler named by THRUM_TRIPLET, its programs run by qemu-user.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES THRUM_TRIPLET)
string(REGEX REPLACE "-.*" "" thrum_machine "${THRUM_TRIPLET}")
string(REGEX REPLACE "^i[3-6]86$" "i386" thrum_machine "${thrum_machine}")
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${thrum_machine})
set(CMAKE_C_COMPILER ${THRUM_TRIPLET}-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${thrum_machine} -L /usr/${THRUM_TRIPLET})
