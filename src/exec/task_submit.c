/* SPDX-License-Identifier: MIT */
/* Typed tasks: the arguments and the result stand in one block, which belongs to the record of the task. */
#include <thrum/task.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "exec/pool.h"
#include "exec/remote.h"

typedef struct boxed {
    thrum__remote_block base;
    const thrum_task_type *type;
    void *args; /* here, or in what the block has reserved; then the result */
    max_align_t bytes[];
} boxed;

static size_t units(size_t size) { return (size + sizeof(max_align_t) - 1) / sizeof(max_align_t); }

static void *result_in(boxed *block) {
    return (max_align_t *)block->args + units(block->type->args_size);
}

/* `pool`: with a backend, or NULL. */
static boxed *block_new(const thrum_executor *pool, const thrum_task_type *type, const void *args) {
    size_t size = (units(type->args_size) + units(type->result_size)) * sizeof(max_align_t);
    thrum__remote_block base = {{type->name}, NULL, NULL};
    void *memory = pool && size >= THRUM__REMOTE_LARGE ? thrum__remote_reserve(pool, &base, size) : NULL;
    boxed *made = malloc(sizeof *made + (memory ? 0 : size));
    if (!made) {
        if (memory)
            base.release(base.handle);
        return NULL;
    }
    made->base = base;
    made->type = type;
    made->args = memory ? memory : made->bytes;
    memcpy(made->args, args, type->args_size);
    return made;
}

static void *run(void *arg) {
    boxed *block = arg;
    block->type->run(block->args, result_in(block));
    return block;
}

static int submit_remote(thrum_executor *executor, thrum_future **out, const thrum_task_type *type,
                         const void *args) {
    boxed *made = block_new(executor, type, args);
    if (!made)
        return -ENOMEM;
    return thrum__remote_submit(executor, out, run, &made->base,
                                (thrum__remote_task){.name = type->name, .type = type,
                                                     .args = made->args,
                                                     .args_size = type->args_size,
                                                     .result = result_in(made),
                                                     .result_size = type->result_size});
}

int thrum__task_submit_with(thrum_executor *executor, thrum_future **out,
                            const thrum_task_type *type, const void *args,
                            const thrum_task_opts *opts) {
    if (THRUM__UNLIKELY(executor->backend != NULL))
        return opts ? -ENOTSUP : submit_remote(executor, out, type, args);
    boxed *made = block_new(NULL, type, args);
    return made ? thrum__submit_with(executor, out, run, made,
                                     THRUM__TASK_NAMED | THRUM__TASK_OWNED, opts)
                : -ENOMEM;
}

int thrum__task_submit(thrum_executor *executor, thrum_future **out, const thrum_task_type *type,
                       const void *args) {
    return thrum__task_submit_with(executor, out, type, args, NULL);
}

static int of_another(const thrum_task_type *type) {
    thrum__complain("%s_result: the future is not of this task", type->name);
    return -EINVAL;
}

/* Copies the result out, if the wait for it returned `rc` 0. */
static int give(int rc, boxed *block, const thrum_task_type *type, void *value) {
    if (rc == 0 && block->type != type)
        return of_another(type);
    if (rc == 0 && value)
        memcpy(value, result_in(block), type->result_size);
    return rc;
}

int thrum__task_result(thrum_future *future, const thrum_task_type *type, void *value) {
    void *block = NULL;
    if (future->fn != run)
        return of_another(type);
    int rc = thrum_future_result(future, &block);
    return give(rc, block, type, value);
}

int thrum__task_result_until(thrum_future *future, const thrum_task_type *type,
                             thrum_deadline deadline, void *value) {
    void *block = NULL;
    if (future->fn != run)
        return of_another(type);
    int rc = thrum_future_result_until(future, deadline, &block);
    return give(rc, block, type, value);
}

static void free_block(boxed **block) { free(*block); }

static void *run_in_thread(void *arg) {
    __attribute__((cleanup(free_block))) boxed *block = arg;
    run(block);
    return NULL;
}

int thrum__task_start(thrum_thread **out, const thrum_task_type *type, const void *args,
                      const thrum_thread_opts *opts) {
    boxed *made = block_new(NULL, type, args);
    int rc = made ? thrum_thread_start(out, run_in_thread, made, opts) : -ENOMEM;
    if (rc != 0)
        free(made);
    return rc;
}
