/* SPDX-License-Identifier: MIT */
#include "sync/holder.h"

#include <stdio.h>

_Bool (*thrum__holder_name)(uint32_t id, char *text, size_t size);

const char *thrum__holder_text(uint32_t id, char *text, size_t size) {
    char name[THRUM__HOLDER_TEXT / 2];
    if (id == 0)
        snprintf(text, size, "free");
    else if (thrum__holder_name && thrum__holder_name(id, name, sizeof name))
        snprintf(text, size, "held by \"%s\" (ident %u)", name, (unsigned)id);
    else
        snprintf(text, size, "held by ident %u, which is gone", (unsigned)id);
    return text;
}
