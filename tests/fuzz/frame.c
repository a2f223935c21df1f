/* SPDX-License-Identifier: MIT */
/* What a worker sends, or something else in its place: the decoders of process/ must bear it. */
#include <stdlib.h>
#include <string.h>

#include "process/frame.h"
#include "process/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

THRUM_TASK(int, first, (int, x)) { return x; }

THRUM_TASK(double, second, (double, x), (char, y)) { return x + y; }

static void look_at(const thrum__frame_view *frame) {
    static thrum__table table;
    thrum_failure failure;
    char text[256];
    size_t sum = 0;
    if (!table.n && thrum__table_make(&table) != 0)
        abort();
    for (size_t i = 0; i < frame->size; i++)
        sum += frame->bytes[i];
    if (thrum__frame_failure(frame, &failure) == 0)
        sum += strlen(failure.message) + (failure.file ? strlen(failure.file) : 0) +
               (failure.thread ? strlen(failure.thread) : 0) +
               (failure.task ? strlen(failure.task) : 0);
    if (thrum__table_compare(&table, frame, text, sizeof text) != 0)
        sum += strlen(text);
    __asm__ volatile("" : : "r"(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* On the heap, exactly as large: a sanitizer sees a read beyond the end. */
    uint8_t *copy = malloc(size ? size : 1);
    size_t at = 0;
    int64_t n = 0;
    thrum__frame_view frame;
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    while (at < size && (n = thrum__frame_next(copy + at, size - at, &frame)) > 0) {
        if ((size_t)n > size - at)
            abort();
        look_at(&frame);
        at += (size_t)n;
    }
    free(copy);
    return 0;
}
