/* SPDX-License-Identifier: MIT */
/* How messages name the holder of something. */
#ifndef THRUM_SYNC_HOLDER_H
#define THRUM_SYNC_HOLDER_H

#include <stddef.h>
#include <stdint.h>

enum { THRUM__HOLDER_TEXT = 128 };

/* Set by floor 3: writes the name of the strand `id` into `text`. Returns false if it is not
 * known. */
extern _Bool (*thrum__holder_name)(uint32_t id, char *text, size_t size);

/* Writes "free" or "held by "name" (ident 7)" into `text` and returns it. Takes the registry
 * lock. */
const char *thrum__holder_text(uint32_t id, char *text, size_t size);

#endif
