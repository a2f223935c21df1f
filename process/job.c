/* SPDX-License-Identifier: MIT */
/* What is sent of a task besides its bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

void thrum__job_free(thrum__job *job) {
    free(job->call);
    free(job);
}

static bool refer(thrum__errand *call, const void *at, size_t size, uint64_t where) {
    thrum__errand_ref ref = {.where = where};
    ref.segment = thrum__segment_find(at, size, &ref.offset);
    if (ref.segment != 0)
        call->refs[call->n_refs++] = ref;
    return ref.segment != 0;
}

static const void *pointer_at(const thrum__remote_task *task, size_t offset) {
    const void *at;
    memcpy(&at, (const char *)task->args + offset, sizeof at);
    return at;
}

/* Returns whether a parameter is a pointer: see thrum_task_parameter. */
static bool is_pointer(const thrum_task_parameter *parameter) {
    return parameter->format[0] == 'r' || parameter->format[0] == 'w';
}

static int refer_parameters(thrum__errand *call, const thrum__remote_task *task) {
    for (size_t i = 0; i < task->type->n_parameters; i++) {
        const thrum_task_parameter *it = &task->type->parameters[i];
        const void *at = is_pointer(it) ? pointer_at(task, it->offset) : NULL, *none = NULL;
        if (!at || refer(call, at, 1, it->offset))
            continue;
        if (thrum__pack_has(task->type)) { /* the block's own copy */
            memcpy((char *)(uintptr_t)task->args + it->offset, &none, sizeof none);
            continue;
        }
        thrum__remote_complain("%s_submit: \"%s\" would mean nothing in another process: it must "
                               "point into shared memory (thrum/shared.h), or be packed "
                               "(thrum/pack.h)", task->type->name, it->name);
        return -EFAULT;
    }
    return 0;
}

static int refer_items(thrum__errand *call, const thrum__remote_task *task) {
    for (size_t i = 0; i < THRUM__ITEMS_POINTERS; i++) {
        size_t offset = thrum__items_pointers[i];
        const void *at = pointer_at(task, offset);
        if (at && !refer(call, at, 1, offset))
            return -EFAULT;
    }
    return thrum__address_of((thrum__function *)task->fn, &call->function);
}

/* Returns whether nothing but the bytes of the arguments is to be sent. */
static bool is_plain(const thrum__remote_task *task) {
    if (!task->type || thrum__pack_has(task->type) ||
        task->args_size + task->result_size >= THRUM__REMOTE_LARGE)
        return false;
    for (size_t i = 0; i < task->type->n_parameters; i++)
        if (is_pointer(&task->type->parameters[i]))
            return false;
    return true;
}

int thrum__job_call(const thrum__remote_task *task, bool again, thrum__errand **out) {
    bool writes = task->type && thrum__pack_has(task->type);
    *out = NULL;
    if (is_plain(task))
        return 0;
    thrum__errand *call = calloc(1, sizeof *call);
    if (!call)
        return -ENOMEM;
    call->args_size = task->args_size;
    call->result_size = task->result_size;
    /* The arguments first: what is in them is changed there. */
    if (task->args_size > 0 && !(again && writes))
        (void)refer(call, task->args, task->args_size, THRUM__CALL_ARGS);
    if (task->result_size > 0)
        (void)refer(call, task->result, task->result_size, THRUM__CALL_RESULT);
    int rc = task->type ? refer_parameters(call, task) : refer_items(call, task);
    if (rc == 0) {
        *out = call;
        return 0;
    }
    free(call);
    return rc;
}
