/* SPDX-License-Identifier: MIT */
/* Tasks whose argument and result are bytes. With a backend the argument is one item (items.h),
 * whose failure is that of the task. */
#include <thrum/bytes.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "exec/pool.h"
#include "exec/remote.h"

typedef struct boxed {
    thrum__remote_block base;
    int (*fn)(const void *arg, void *result);
    void *arg, *result; /* here, or in what the block has reserved */
    thrum__answer *answer; /* with a backend; the result is in it */
    max_align_t bytes[];
} boxed;

static size_t padded(size_t size) {
    return (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

static void *run(void *arg) {
    boxed *block = arg;
    thrum__items_call(block->fn, block->arg, block->result);
    return block;
}

/* Makes a block with memory for two things. Returns NULL without memory. */
static boxed *block_new(const thrum_executor *pool, size_t first, size_t second, char **memory) {
    size_t size = padded(first) + padded(second);
    thrum__remote_block base = {{NULL}, NULL, NULL};
    *memory = NULL;
    if (pool->backend && size >= THRUM__REMOTE_LARGE)
        *memory = thrum__remote_reserve(pool, &base, size);
    boxed *made = malloc(sizeof *made + (*memory ? 0 : size));
    if (made) {
        made->base = base;
        *memory = *memory ? *memory : (char *)made->bytes;
    } else if (*memory) {
        base.release(base.handle);
    }
    return made;
}

static boxed *boxed_here(const thrum_executor *pool, size_t arg_size, size_t result_size) {
    char *memory;
    boxed *made = block_new(pool, arg_size, result_size, &memory);
    if (made) {
        made->arg = memory;
        made->result = memory + padded(arg_size);
        memset(made->result, 0, result_size);
    }
    return made;
}

int thrum__bytes_submit_remote(thrum_executor *pool, thrum_future **out,
                               int (*fn)(const void *item, void *result), const thrum__items *head,
                               const void *item, const char *name, const thrum_task_opts *opts) {
    size_t size = thrum__items_size(1, (size_t)head->item_size, true);
    size_t answer_size = thrum__answer_size(1, (size_t)head->result_size, true);
    char *memory;
    boxed *made = block_new(pool, size, answer_size, &memory);
    if (!made)
        return -ENOMEM;
    thrum__items *items = (void *)memory;
    *items = *head;
    made->base.named.name = name;
    made->fn = fn;
    made->arg = items + 1;
    made->answer = (void *)(memory + padded(size));
    made->result = thrum__answer_results(made->answer, 1);
    if (head->item_size)
        memcpy(made->arg, item, (size_t)head->item_size);
    return thrum__remote_submit_with(pool, out, run, &made->base,
                                     (thrum__remote_task){.name = name, .fn = fn, .args = items,
                                                          .args_size = size,
                                                          .result = made->answer,
                                                          .result_size = answer_size}, opts);
}

thrum__answer *thrum__bytes_answer(thrum_future *future) {
    return ((boxed *)future->value)->answer;
}

static int check(int (*fn)(const void *arg, void *result), const void *arg, size_t arg_size,
                 size_t result_size) {
    const char *what = NULL;
    if (!fn)
        what = "fn is NULL";
    else if (!arg && arg_size)
        what = "arg is NULL";
    else if (!thrum__items_size(1, arg_size, true) || !thrum__answer_size(1, result_size, true))
        what = "a size overflows";
    if (what)
        thrum__complain("thrum_submit_bytes: %s", what);
    return what ? -EINVAL : 0;
}

int thrum_submit_bytes(thrum_executor *executor, thrum_future **out,
                       int (*fn)(const void *arg, void *result), const void *arg, size_t arg_size,
                       size_t result_size, const thrum_task_opts *opts) {
    int rc = check(fn, arg, arg_size, result_size);
    if (rc == 0 && executor->backend) {
        const thrum__items head = {.n = 1, .item_size = arg_size, .result_size = result_size,
                                   .single = true};
        return thrum__bytes_submit_remote(executor, out, fn, &head, arg, NULL, opts);
    }
    if (rc != 0)
        return rc;
    boxed *made = boxed_here(executor, arg_size, result_size);
    if (!made)
        return -ENOMEM;
    made->fn = fn;
    if (arg_size)
        memcpy(made->arg, arg, arg_size);
    return thrum__submit_with(executor, out, run, made, THRUM__TASK_NAMED | THRUM__TASK_OWNED,
                              opts);
}

static int of_another(void) {
    thrum__complain("thrum_bytes_result: the future is not of thrum_submit_bytes()");
    return -EINVAL;
}

int thrum_bytes_result(thrum_future *future, const void **result) {
    void *block = NULL;
    if (future->fn != run)
        return of_another();
    int rc = thrum_future_result(future, &block);
    if (rc == 0 && result)
        *result = ((boxed *)block)->result;
    return rc;
}

int thrum_bytes_result_until(thrum_future *future, thrum_deadline deadline, const void **result) {
    void *block = NULL;
    if (future->fn != run)
        return of_another();
    int rc = thrum_future_result_until(future, deadline, &block);
    if (rc == 0 && result)
        *result = ((boxed *)block)->result;
    return rc;
}
