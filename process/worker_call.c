/* SPDX-License-Identifier: MIT */
#include "worker_call.h"

#include <errno.h>
#include <string.h>

#include "exec/backend.h"

enum { TEXT_SIZE = 256 };

typedef struct running {
    const thrum_task_type *type; /* NULL: items */
    int (*fn)(const void *item, void *result);
    void *args, *result;
    size_t args_size;
} running;

static void run(void *arg) {
    running *it = arg;
    if (!it->type) {
        thrum__items_run(it->fn, it->args, it->result);
        return;
    }
    size_t offset = thrum__pack_offset(it->type->args_size);
    if (!thrum__pack_has(it->type) ||
        thrum__pack_take(it->type, it->args, (char *)it->args + offset, it->args_size - offset))
        it->type->run(it->args, it->result);
}

int thrum__callee_name(thrum__callee *callee, const thrum__frame_view *frame) {
    if (frame->size == 0 || memchr(frame->bytes, 0, frame->size) != frame->bytes + frame->size - 1)
        return -EPROTO;
    callee->given.begin = callee->given.end = 0;
    callee->given_id = frame->id;
    return thrum__buffer_put(&callee->given, frame->bytes, frame->size) ? 0 : -ENOMEM;
}

const char *thrum__callee_given(const thrum__callee *callee, uint64_t id) {
    return callee->given_id == id ? (const char *)callee->given.data : NULL;
}

static bool failed(thrum__callee *callee, const thrum__frame_view *frame, const char *name,
                   int code, const char *text) {
    return thrum__frame_put_failure(callee->out, THRUM__FRAME_FAILURE, frame->id,
                                    &(thrum_failure){.code = code, .message = text,
                                                     .thread = callee->name, .task = name});
}

/* Finds arguments and result, where they are; and lets pointers in them point to what they do
 * here. */
static bool find(thrum__callee *callee, const thrum__errand *call, running *it, char *text) {
    for (uint64_t i = 0; i < call->n_refs; i++) {
        const thrum__errand_ref *ref = &call->refs[i];
        uint64_t size = ref->where == THRUM__CALL_ARGS ? call->args_size
                        : ref->where == THRUM__CALL_RESULT ? call->result_size : 0;
        void *at = thrum__known_at(&callee->known, ref, (size_t)size, text, TEXT_SIZE);
        if (!at)
            return false;
        if (ref->where == THRUM__CALL_ARGS)
            it->args = at; /* the first of all */
        else if (ref->where == THRUM__CALL_RESULT)
            it->result = at;
        else
            memcpy((char *)it->args + ref->where, &at, sizeof at);
    }
    return true;
}

/* On the heap, so that they are aligned. */
static bool take_in(thrum__callee *callee, const thrum__errand *call, const uint8_t *args,
                    running *it) {
    callee->args.end = callee->args.begin = callee->result.end = callee->result.begin = 0;
    bool shared = thrum__errand_find(call, THRUM__CALL_RESULT) != NULL;
    if ((args && !thrum__buffer_put(&callee->args, args, (size_t)call->args_size)) ||
        (!shared && !thrum__buffer_room(&callee->result, (size_t)call->result_size + 1)))
        return false;
    it->args = callee->args.data;
    it->result = callee->result.data;
    return true;
}

/* A large one that was needed once is not kept. */
static void let_go(thrum__buffer *buffer) {
    thrum__buffer_take(buffer, thrum__buffer_size(buffer));
}

static bool answer(thrum__callee *callee, const thrum__frame_view *frame, const thrum__errand *call,
                   running *it, const char *name) {
    char text[TEXT_SIZE];
    thrum_failure failure;
    bool shared = thrum__errand_find(call, THRUM__CALL_RESULT) != NULL;
    callee->begin(callee->arg, frame->id);
    const char *given = thrum__callee_given(callee, frame->id);
    if (thrum__remote_run(name, given, run, it, &failure, text, sizeof text) == 0)
        return thrum__frame_put(callee->out, THRUM__FRAME_RESULT, frame->index, frame->id,
                                it->result, shared ? 0 : (size_t)call->result_size);
    failure.thread = callee->name;
    return thrum__frame_put_failure(callee->out, THRUM__FRAME_FAILURE, frame->id, &failure);
}

static bool fits(const thrum__errand *call, const thrum_task_type *type) {
    return call->result_size == type->result_size &&
           (thrum__pack_has(type) ? call->args_size >= thrum__pack_offset(type->args_size)
                                  : call->args_size == type->args_size);
}

int thrum__callee_run(thrum__callee *callee, const thrum__frame_view *frame) {
    thrum__errand call;
    const uint8_t *args;
    running it = {0};
    char text[TEXT_SIZE];
    const char *name = "thrum_map";
    if (thrum__errand_read(frame, &call, &args) != 0)
        return -EPROTO;
    if (frame->index < callee->table->n) {
        it.type = callee->table->types[frame->index];
        it.args_size = (size_t)call.args_size;
        name = it.type->name;
        if (!fits(&call, it.type))
            return -EPROTO;
    } else if (frame->index != THRUM__CALL_FUNCTION ||
               call.args_size < sizeof(thrum__items) || call.result_size < sizeof(thrum__answer)) {
        return -EPROTO;
    }
    if (!take_in(callee, &call, args, &it))
        return -ENOMEM;
    bool done;
    if (!it.type && !(it.fn = (int (*)(const void *, void *))(void *)thrum__address_find(
                          &call.function, text, sizeof text)))
        done = failed(callee, frame, name, -ENOENT, text);
    else if (!find(callee, &call, &it, text))
        done = failed(callee, frame, name, -ENOMEM, text);
    else
        done = answer(callee, frame, &call, &it, name);
    let_go(&callee->args);
    let_go(&callee->result);
    return done ? 0 : -ENOMEM;
}
