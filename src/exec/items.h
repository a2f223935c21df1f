/* SPDX-License-Identifier: MIT */
/* Items of a map, several in a row, on their way to where they are run, and what comes back: bytes,
 * the same for every process of a program. */
#ifndef THRUM_EXEC_ITEMS_H
#define THRUM_EXEC_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What all parts of one map, or all items of a stream, look at while they run, in memory that they
 * share. */
typedef struct thrum__items_watch {
    uint32_t stop;   /* relaxed: no item is to be started any more */
    uint64_t failed; /* of a stream: thrum__items_streamed() */
} __attribute__((aligned(64))) thrum__items_watch;

/* One for each part that is on its way, behind that. */
typedef struct thrum__items_progress {
    uint64_t begun;  /* relaxed: how many of its items were begun; the last may not have ended */
    uint64_t failed; /* relaxed: how many of these have failed */
} __attribute__((aligned(64))) thrum__items_progress;

/* The arguments. What a pointer points to is in shared memory. */
typedef struct thrum__items {
    uint64_t n, item_size, result_size;
    int64_t deadline; /* as of thrum_map_opts, 0 none */
    const void *items; /* NULL: they stand behind this */
    void *results;     /* NULL: they stand in the answer */
    thrum__items_watch *watch;        /* NULL none */
    thrum__items_progress *progress;  /* NULL none */
    uint8_t stop_on_error;
    uint8_t no_results; /* fn gets NULL */
    uint8_t single;     /* one item, whose failure is that of the task: no answer but the result */
    uint8_t streamed;   /* that too, of a stream: and whether it ran */
    uint8_t unordered;  /* the stream is */
    uint64_t index;     /* of the item in it */
} __attribute__((aligned(__alignof__(max_align_t)))) thrum__items;

enum { THRUM__ITEMS_POINTERS = 4 };

/* Where in the arguments these pointers stand. */
extern const size_t thrum__items_pointers[THRUM__ITEMS_POINTERS];

/* The result: this, then the code of each item, then at a multiple of 16 bytes their results.
 * Nothing in it is to be believed. */
typedef struct thrum__answer {
    uint64_t ran;    /* items, the first ones */
    uint64_t failed; /* the first that has, if code is not 0 */
    int32_t code;
    int32_t line;
    uint32_t raised; /* by thrum_raise(): message and place are there */
    char message[256], file[160];
} __attribute__((aligned(__alignof__(max_align_t)))) thrum__answer;

/* Return how many bytes are to be had for `n` items; 0: too many. `results`: they stand there. */
size_t thrum__items_size(size_t n, size_t item_size, bool items);
size_t thrum__answer_size(size_t n, size_t result_size, bool results);

/* Return where codes and results stand in an answer. */
static inline int32_t *thrum__answer_codes(thrum__answer *answer) {
    return (int32_t *)(answer + 1);
}

static inline char *thrum__answer_results(thrum__answer *answer, size_t n) {
    return (char *)(answer + 1) + (n * sizeof(int32_t) + 15) / 16 * 16;
}

/* Calls fn; the current task fails with its code. */
void thrum__items_call(int (*fn)(const void *item, void *result), const void *item, void *result);

/* The same for the item `index` of a stream. `failed`: the lowest index that has failed, relaxed,
 * UINT64_MAX none; or NULL: no failure stops anything. Returns false, nothing being done, if the
 * item is not to be started: one of a lower index has failed, or any if `unordered`. */
bool thrum__items_streamed(int (*fn)(const void *item, void *result), const void *item,
                           void *result, uint64_t index, uint64_t *failed, bool unordered);

/* Calls fn for the items, in the frame of the current task, and fills the answer, whose size
 * fits. */
void thrum__items_run(int (*fn)(const void *item, void *result), const thrum__items *items,
                      thrum__answer *answer);

#endif
