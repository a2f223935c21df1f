# SPDX-License-Identifier: MIT
# musl-gcc of Debian, which finds musl's headers and not the kernel's: links to those.
set(CMAKE_C_COMPILER musl-gcc)
set(thrum_kernel ${CMAKE_BINARY_DIR}/kernel)
file(MAKE_DIRECTORY ${thrum_kernel})
foreach(folder IN ITEMS linux asm-generic asm)
    file(GLOB found /usr/include/${folder} /usr/include/*-linux-gnu/${folder})
    list(GET found 0 first)
    file(CREATE_LINK ${first} ${thrum_kernel}/${folder} SYMBOLIC)
endforeach()
# -isystem: those headers, and no others of the host's.
set(CMAKE_C_FLAGS_INIT "-isystem ${thrum_kernel}")
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
# musl's pthread_exit unwinds nothing, and the unwinder of Debian's gcc needs glibc.
set(THRUM_NO_UNWINDING ON)
