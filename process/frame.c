/* SPDX-License-Identifier: MIT */
#include "frame.h"

#include <errno.h>
#include <string.h>

/* A failure in a frame: this, then the texts, each with its zero. */
typedef struct packed {
    int32_t code, line;
    uint64_t sizes[4]; /* message, file, thread, task: with the zero; 0: there is none */
} packed;

int64_t thrum__frame_next(const uint8_t *data, size_t n, thrum__frame_view *frame) {
    thrum__frame_head head;
    *frame = (thrum__frame_view){0};
    if (n < sizeof head)
        return 0;
    memcpy(&head, data, sizeof head);
    if (head.version != THRUM__FRAME_VERSION || head.zero || head.zero_too || head.kind == 0 ||
        head.kind >= THRUM__FRAME_KINDS || head.size > THRUM__FRAME_MAX)
        return -EPROTO;
    *frame = (thrum__frame_view){(thrum__frame_kind)head.kind, head.index, head.id, NULL,
                                 (size_t)head.size};
    if (head.size > n - sizeof head)
        return 0;
    frame->bytes = data + sizeof head;
    return (int64_t)(sizeof head + head.size);
}

bool thrum__frame_put_head(thrum__buffer *buffer, thrum__frame_kind kind, uint32_t index,
                           uint64_t id, size_t size) {
    thrum__frame_head head = {.version = THRUM__FRAME_VERSION, .kind = (uint16_t)kind,
                              .index = index, .id = id, .size = size};
    return size <= THRUM__FRAME_MAX && thrum__buffer_room(buffer, sizeof head + size) &&
           thrum__buffer_put(buffer, &head, sizeof head);
}

bool thrum__frame_put(thrum__buffer *buffer, thrum__frame_kind kind, uint32_t index, uint64_t id,
                      const void *bytes, size_t size) {
    return thrum__frame_put_head(buffer, kind, index, id, size) &&
           thrum__buffer_put(buffer, bytes, size);
}

bool thrum__frame_put_failure(thrum__buffer *buffer, thrum__frame_kind kind, uint64_t id,
                              const thrum_failure *failure) {
    const char *texts[] = {failure->message, failure->file, failure->thread, failure->task};
    packed fixed = {.code = failure->code, .line = failure->line};
    size_t size = sizeof fixed;
    for (int i = 0; i < 4; i++) {
        fixed.sizes[i] = texts[i] ? strlen(texts[i]) + 1 : 0;
        size += fixed.sizes[i];
    }
    if (!thrum__frame_put_head(buffer, kind, 0, id, size))
        return false;
    (void)thrum__buffer_put(buffer, &fixed, sizeof fixed); /* there is room */
    for (int i = 0; i < 4; i++)
        (void)thrum__buffer_put(buffer, texts[i], fixed.sizes[i]);
    return true;
}

int thrum__frame_failure(const thrum__frame_view *frame, thrum_failure *failure) {
    const char *texts[4] = {NULL};
    packed fixed;
    if (frame->size < sizeof fixed)
        return -EPROTO;
    memcpy(&fixed, frame->bytes, sizeof fixed);
    const uint8_t *at = frame->bytes + sizeof fixed;
    size_t left = frame->size - sizeof fixed;
    for (int i = 0; i < 4; i++) {
        uint64_t size = fixed.sizes[i];
        if (size == 0)
            continue;
        if (size > left || memchr(at, 0, (size_t)size) != at + size - 1)
            return -EPROTO;
        texts[i] = (const char *)at;
        at += size;
        left -= (size_t)size;
    }
    if (left != 0 || !texts[0] || fixed.code >= 0)
        return -EPROTO;
    *failure = (thrum_failure){.code = fixed.code, .line = fixed.line, .message = texts[0],
                               .file = texts[1], .thread = texts[2], .task = texts[3]};
    return 0;
}
