/* SPDX-License-Identifier: MIT */
#include "exec/pack.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <thrum/error.h>

#include "base/panic.h"
#include "exec/task.h"

struct thrum_pack {
    unsigned char *to; /* NULL: it only counts */
    size_t size, room;
    int code;
};

struct thrum_unpack {
    unsigned char *at;
    size_t left;
    bool bad;
};

/* In front of each thing. */
typedef struct head {
    uint64_t size; /* NONE: NULL */
} __attribute__((aligned(16))) head;

static const uint64_t NONE = UINT64_MAX;

/* Returns how many bytes a thing of `size` takes, 0: too many. */
static size_t taken(size_t size) {
    return size > PTRDIFF_MAX / 8 ? 0 : sizeof(head) + (size + 15) / 16 * 16;
}

static void add(thrum_pack *to, const void *bytes, size_t size) {
    const head first = {bytes ? size : NONE};
    size_t all = taken(bytes ? size : 0);
    if (all == 0 || to->size > PTRDIFF_MAX / 8)
        to->code = -ENOMEM;
    if (to->to && to->code == 0 && all > to->room - to->size)
        to->code = -EINVAL;
    if (to->code != 0)
        return;
    if (to->to) {
        memcpy(to->to + to->size, &first, sizeof first);
        if (bytes && size)
            memcpy(to->to + to->size + sizeof first, bytes, size);
    }
    to->size += all;
}

void thrum_pack_bytes(thrum_pack *to, const void *bytes, size_t size) { add(to, bytes, size); }

void thrum_pack_text(thrum_pack *to, const char *text) {
    add(to, text, text ? strlen(text) + 1 : 0);
}

void *thrum_unpack_bytes(thrum_unpack *from, size_t *size) {
    head first;
    if (size)
        *size = 0;
    if (from->bad || from->left < sizeof first) {
        from->bad = true;
        return NULL;
    }
    memcpy(&first, from->at, sizeof first);
    bool none = first.size == NONE;
    size_t all = none ? sizeof first : first.size > from->left ? 0 : taken((size_t)first.size);
    if (all == 0 || all > from->left) {
        from->bad = true;
        return NULL;
    }
    void *found = from->at + sizeof first;
    from->at += all;
    from->left -= all;
    if (size && !none)
        *size = (size_t)first.size;
    return none ? NULL : found;
}

char *thrum_unpack_text(thrum_unpack *from) {
    size_t size;
    char *text = thrum_unpack_bytes(from, &size);
    if (!text || (size > 0 && text[size - 1] == '\0'))
        return text;
    from->bad = true;
    return NULL;
}

int thrum__pack_count(const thrum_task_type *type, const void *args, size_t *size) {
    thrum_pack to = {0};
    int rc = type->packing->pack(args, &to);
    *size = to.size;
    return rc < 0 ? rc : to.code;
}

int thrum__pack_write(const thrum_task_type *type, const void *args, void *to, size_t size) {
    thrum_pack it = {.to = to, .room = size};
    int rc = type->packing->pack(args, &it);
    if (rc < 0)
        return rc;
    if (it.code == 0 && it.size == size)
        return 0;
    thrum__complain("task %s: pack() has not done the same twice", type->name);
    return -EINVAL;
}

bool thrum__pack_take(const thrum_task_type *type, void *args, void *from, size_t size) {
    thrum_unpack it = {from, size, false};
    int rc = type->packing->unpack(args, &it);
    if (rc < 0)
        thrum_raise_at(NULL, 0, rc, "unpack() of its arguments: %s", thrum_strerror(rc));
    else if (it.bad || it.left != 0)
        thrum_raise_at(NULL, 0, -EPROTO, "unpack() took %s than was packed",
                       it.bad ? "something else" : "less");
    return !thrum__frame_current()->raised;
}
