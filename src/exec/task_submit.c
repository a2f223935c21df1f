/* SPDX-License-Identifier: MIT */
/* Typed tasks: the arguments and the result stand in one block, which belongs to the record of the
 * task. */
#include <thrum/task.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "exec/pack.h"
#include "exec/pool.h"
#include "exec/remote.h"

typedef struct boxed {
    thrum__remote_block base;
    const thrum_task_type *type;
    void *args; /* here, or in what the block has reserved; then the result */
    void *result;
    max_align_t bytes[];
} boxed;

static size_t units(size_t size) { return (size + sizeof(max_align_t) - 1) / sizeof(max_align_t); }

/* `pool`: with a backend, or NULL. `args_size`: with what is packed. */
static boxed *block_new(const thrum_executor *pool, const thrum_task_type *type, const void *args,
                        size_t args_size) {
    size_t size = (units(args_size) + units(type->result_size)) * sizeof(max_align_t);
    thrum__remote_block base = {{type->name}, NULL, NULL};
    void *memory = pool && size >= THRUM__REMOTE_LARGE ? thrum__remote_reserve(pool, &base, size)
                                                       : NULL;
    boxed *made = malloc(sizeof *made + (memory ? 0 : size));
    if (!made) {
        if (memory)
            base.release(base.handle);
        return NULL;
    }
    made->base = base;
    made->type = type;
    made->args = memory ? memory : made->bytes;
    made->result = (max_align_t *)made->args + units(args_size);
    memcpy(made->args, args, type->args_size);
    return made;
}

static void *run(void *arg) {
    boxed *block = arg;
    block->type->run(block->args, block->result);
    return block;
}

/* How large the arguments are with what is packed. Returns 0 or a negative errno. */
static int size_of(const thrum_task_type *type, const void *args, size_t *size) {
    size_t packed = 0;
    *size = type->args_size;
    if (!thrum__pack_has(type))
        return 0;
    int rc = thrum__pack_count(type, args, &packed);
    *size = thrum__pack_offset(type->args_size) + packed;
    return rc;
}

static int submit_remote(thrum_executor *executor, thrum_future **out, const thrum_task_type *type,
                         const void *args, const thrum_task_opts *opts) {
    size_t size, offset = thrum__pack_offset(type->args_size);
    int rc = size_of(type, args, &size);
    if (rc != 0)
        return rc;
    boxed *made = block_new(executor, type, args, size);
    if (!made)
        return -ENOMEM;
    if (thrum__pack_has(type))
        rc = thrum__pack_write(type, args, (char *)made->args + offset, size - offset);
    if (rc != 0) {
        thrum__remote_block_free(made);
        return rc;
    }
    return thrum__remote_submit_with(executor, out, run, &made->base,
                                     (thrum__remote_task){.name = type->name, .type = type,
                                                          .args = made->args, .args_size = size,
                                                          .result = made->result,
                                                          .result_size = type->result_size}, opts);
}

int thrum__task_submit_with(thrum_executor *executor, thrum_future **out,
                            const thrum_task_type *type, const void *args,
                            const thrum_task_opts *opts) {
    if (THRUM__UNLIKELY(executor->backend != NULL))
        return submit_remote(executor, out, type, args, opts);
    boxed *made = block_new(NULL, type, args, type->args_size);
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
        memcpy(value, block->result, type->result_size);
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
    boxed *made = block_new(NULL, type, args, type->args_size);
    int rc = made ? thrum_thread_start(out, run_in_thread, made, opts) : -ENOMEM;
    if (rc != 0)
        free(made);
    return rc;
}
