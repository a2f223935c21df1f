/* SPDX-License-Identifier: MIT */
/* Where a function lies, said so that another process understands: the build of its program or
 * library, and how far behind the start of that. */
#ifndef THRUM_PROCESS_ADDRESS_H
#define THRUM_PROCESS_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

enum { THRUM__BUILD_SIZE = 20 };

typedef enum thrum__build_kind {
    THRUM__BUILD_NONE,   /* no function */
    THRUM__BUILD_NOTE,   /* what the linker wrote (--build-id); at most the first 20 bytes of it */
    THRUM__BUILD_HEADERS /* there is none: a hash of the ELF headers and the tables of symbols */
} thrum__build_kind;

typedef struct thrum__address {
    uint64_t offset;
    uint32_t kind;
    uint8_t build[THRUM__BUILD_SIZE]; /* zero behind what is used */
} thrum__address;

typedef void thrum__function(void);

/* Returns 0, or -ENOENT: `function` lies in no module that is loaded. */
int thrum__address_of(thrum__function *function, thrum__address *address);

/* The opposite. Returns NULL, and why not in `text`, if no module of that build is loaded, or
 * nothing that can be run lies there. */
thrum__function *thrum__address_find(const thrum__address *address, char *text, size_t size);

#endif
