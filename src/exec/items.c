/* SPDX-License-Identifier: MIT */
#include "exec/items.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "exec/task.h"

const size_t thrum__items_pointers[THRUM__ITEMS_POINTERS] = {
    offsetof(thrum__items, items), offsetof(thrum__items, results), offsetof(thrum__items, watch),
    offsetof(thrum__items, progress)};

static size_t sum(size_t fixed, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > PTRDIFF_MAX / 8)
        return 0;
    return fixed + bytes;
}

size_t thrum__items_size(size_t n, size_t item_size, bool items) {
    return sum(sizeof(thrum__items), items ? n : 0, item_size);
}

_Static_assert(sizeof(thrum__answer) % 16 == 0, "else results reach beyond an answer");

size_t thrum__answer_size(size_t n, size_t result_size, bool results) {
    size_t codes = sum(sizeof(thrum__answer) + 15, n, sizeof(int32_t));
    return codes ? sum(codes / 16 * 16, results ? n : 0, result_size) : 0;
}

/* Returns whether no item is to be started any more. */
static bool stopped(const thrum__items *items) {
    if (items->watch && thrum__load_relaxed(&items->watch->stop))
        return true;
    return items->deadline != 0 && thrum__strand_now() >= items->deadline;
}

/* Takes what the item has raised, if it has, or its code. Returns its code. */
static int code_of(int code, thrum__answer *answer, uint64_t index) {
    thrum__frame *frame = thrum__frame_current();
    bool raised = frame->raised, first = answer->code == 0;
    if (code == 0 && !raised)
        return 0;
    frame->raised = false;
    code = raised ? frame->failure.code : code > 0 ? -EINVAL : code;
    if (!first)
        return code;
    answer->failed = index;
    answer->code = code;
    answer->raised = raised;
    if (raised) {
        const char *file = frame->failure.file;
        answer->line = frame->failure.line;
        snprintf(answer->message, sizeof answer->message, "%s", frame->message);
        snprintf(answer->file, sizeof answer->file, "%s", file ? file : "?");
    }
    return code;
}

static void note_failure(const thrum__items *items) {
    if (items->progress)
        thrum__store_relaxed(&items->progress->failed, items->progress->failed + 1);
    if (items->stop_on_error && items->watch)
        thrum__store_relaxed(&items->watch->stop, 1);
}

void thrum__items_call(int (*fn)(const void *item, void *result), const void *item, void *result) {
    int code = fn(item, result);
    if (THRUM__UNLIKELY(code != 0))
        thrum_raise_at(NULL, 0, code < 0 ? code : -EINVAL, "%s",
                       thrum_strerror(code < 0 ? code : -EINVAL));
}

static bool failed_before(const uint64_t *failed, uint64_t index, bool unordered) {
    uint64_t lowest = thrum__load_relaxed(failed);
    return unordered ? lowest != UINT64_MAX : lowest < index;
}

static void note_lowest(uint64_t *failed, uint64_t index) {
    uint64_t lowest = thrum__load_relaxed(failed);
    while (index < lowest && !thrum__cas_relaxed(failed, &lowest, index))
        continue;
}

bool thrum__items_streamed(int (*fn)(const void *item, void *result), const void *item,
                           void *result, uint64_t index, uint64_t *failed, bool unordered) {
    if (failed && failed_before(failed, index, unordered))
        return false;
    int code = fn(item, result);
    if (THRUM__UNLIKELY(code != 0))
        thrum_raise_at(NULL, 0, code, "item %llu: %s", (unsigned long long)index,
                       thrum_strerror(code < 0 ? code : -EINVAL));
    if (failed && thrum__frame_current()->raised)
        note_lowest(failed, index);
    return true;
}

static void run_single(int (*fn)(const void *item, void *result), const thrum__items *items,
                       const void *item, void *result, thrum__answer *answer) {
    uint64_t *failed = items->watch ? &items->watch->failed : NULL;
    memset(result, 0, items->result_size);
    if (items->streamed)
        answer->ran = thrum__items_streamed(fn, item, result, items->index, failed,
                                            items->unordered);
    else
        thrum__items_call(fn, item, result);
}

void thrum__items_run(int (*fn)(const void *item, void *result), const thrum__items *items,
                      thrum__answer *answer) {
    size_t n = (size_t)items->n, i;
    const char *item = items->items ? items->items : (const char *)(items + 1);
    char *result = items->results ? items->results : thrum__answer_results(answer, n);
    int32_t *codes = thrum__answer_codes(answer);
    if (items->single) {
        run_single(fn, items, item, result, answer);
        return;
    }
    *answer = (thrum__answer){0};
    for (i = 0; i < n && !stopped(items); i++) {
        if (items->progress)
            thrum__store_relaxed(&items->progress->begun, i + 1);
        if (!items->results && !items->no_results && items->result_size)
            memset(result, 0, items->result_size);
        codes[i] = code_of(fn(item, items->no_results ? NULL : result), answer, i);
        if (THRUM__UNLIKELY(codes[i] != 0))
            note_failure(items);
        item += items->item_size;
        result += items->result_size;
    }
    answer->ran = i;
    for (; i < n; i++)
        codes[i] = -ECANCELED;
}
