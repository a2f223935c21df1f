/* SPDX-License-Identifier: MIT */
/* What a worker sends, or something else in its place: the decoders of process/ must bear it, and a
 * pool (answers.c). */
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "exec/backend.h"
#include "process/call.h"
#include "process/frame.h"
#include "process/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

THRUM_TASK(int, first, (int, x)) { return x; }

THRUM_TASK(double, second, (double, x), (char, y)) { return x + y; }

THRUM_TASK(int, packed, (const char *, text), (const char *, bytes), (size_t, n)) {
    size_t sum = 0;
    for (size_t i = 0; bytes && i < n; i++)
        sum += (unsigned char)bytes[i];
    return (int)(sum + (text ? strlen(text) : 0));
}

static int pack_packed(const void *args, thrum_pack *to) {
    const THRUM_TASK_ARGS(packed) *it = args;
    thrum_pack_text(to, it->text);
    thrum_pack_bytes(to, it->bytes, it->n);
    return 0;
}

static int unpack_packed(void *args, thrum_unpack *from) {
    THRUM_TASK_ARGS(packed) *it = args;
    it->text = thrum_unpack_text(from);
    it->bytes = thrum_unpack_bytes(from, &it->n);
    return 0;
}

THRUM_TASK_PACK(packed, pack_packed, unpack_packed)

typedef struct taken {
    THRUM_TASK_ARGS(packed) args;
    const thrum__frame_view *frame;
} taken;

static void take(void *arg) {
    taken *it = arg;
    int sum;
    if (thrum__pack_take(&packed_task, &it->args, (void *)(uintptr_t)it->frame->bytes,
                         it->frame->size))
        packed_task.run(&it->args, &sum);
}

/* What is sent to a worker. */
static size_t look_at_call(const thrum__frame_view *frame) {
    thrum__errand call;
    thrum__address address;
    const uint8_t *args;
    char text[256];
    size_t sum = 0, size;
    thrum_failure failure;
    taken it = {.frame = frame};
    if (thrum__errand_read(frame, &call, &args) == 0) {
        for (size_t i = 0; args && i < call.args_size; i++)
            sum += args[i];
        for (uint64_t i = 0; i < call.n_refs; i++)
            sum += (size_t)call.refs[i].where;
    }
    if (thrum__setup_read(frame, &address, &args, &size) == 0)
        for (size_t i = 0; i < size; i++)
            sum += args[i];
    if (frame->kind == THRUM__FRAME_TASK)
        (void)thrum__remote_run("packed", NULL, take, &it, &failure, text, sizeof text);
    return sum;
}

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
    sum += look_at_call(frame);
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
    fuzz_answers(copy, size);
    free(copy);
    return 0;
}
