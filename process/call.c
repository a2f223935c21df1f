/* SPDX-License-Identifier: MIT */
#include "call.h"

#include <errno.h>
#include <string.h>

/* In the frame: this, then the references, then the arguments. */
typedef struct fixed {
    thrum__address function;
    uint64_t args_size, result_size, n_refs;
} fixed;

const thrum__errand_ref *thrum__errand_find(const thrum__errand *call, uint64_t where) {
    for (uint64_t i = 0; i < call->n_refs; i++)
        if (call->refs[i].where == where)
            return &call->refs[i];
    return NULL;
}

bool thrum__errand_put(thrum__buffer *buffer, uint32_t index, uint64_t id,
                       const thrum__errand *call, const void *args) {
    const fixed first = {call->function, call->args_size, call->result_size, call->n_refs};
    size_t refs_size = (size_t)call->n_refs * sizeof call->refs[0];
    size_t args_size = thrum__errand_find(call, THRUM__CALL_ARGS) ? 0 : (size_t)call->args_size;
    size_t size = sizeof first + refs_size;
    if (args_size > PTRDIFF_MAX / 4 ||
        !thrum__buffer_room(buffer, sizeof(thrum__frame_head) + size + args_size))
        return false;
    /* There is room. */
    (void)thrum__frame_put_head(buffer, THRUM__FRAME_CALL, index, id, size + args_size);
    (void)thrum__buffer_put(buffer, &first, sizeof first);
    (void)thrum__buffer_put(buffer, call->refs, refs_size);
    (void)thrum__buffer_put(buffer, args, args_size);
    return true;
}

bool thrum__setup_put(thrum__buffer *buffer, const thrum__address *initializer, const void *arg,
                      size_t size) {
    if (size > PTRDIFF_MAX / 4 ||
        !thrum__frame_put_head(buffer, THRUM__FRAME_SETUP, 0, 0, sizeof *initializer + size))
        return false;
    (void)thrum__buffer_put(buffer, initializer, sizeof *initializer); /* there is room */
    (void)thrum__buffer_put(buffer, arg, size);
    return true;
}

int thrum__setup_read(const thrum__frame_view *frame, thrum__address *initializer,
                      const uint8_t **arg, size_t *size) {
    if (frame->kind != THRUM__FRAME_SETUP || frame->size < sizeof *initializer)
        return -EPROTO;
    memcpy(initializer, frame->bytes, sizeof *initializer);
    *arg = frame->bytes + sizeof *initializer;
    *size = frame->size - sizeof *initializer;
    return initializer->kind <= THRUM__BUILD_HEADERS ? 0 : -EPROTO;
}

static bool fits(const thrum__errand *call, const thrum__errand_ref *ref) {
    return ref->where == THRUM__CALL_ARGS || ref->where == THRUM__CALL_RESULT ||
           (call->args_size >= sizeof(void *) && ref->where <= call->args_size - sizeof(void *));
}

int thrum__errand_read(const thrum__frame_view *frame, thrum__errand *call, const uint8_t **args) {
    fixed first;
    if (frame->kind != THRUM__FRAME_CALL || frame->size < sizeof first)
        return -EPROTO;
    memcpy(&first, frame->bytes, sizeof first);
    const uint8_t *at = frame->bytes + sizeof first;
    size_t left = frame->size - sizeof first;
    if (first.n_refs > THRUM__CALL_REFS || first.n_refs * sizeof call->refs[0] > left ||
        first.function.kind > THRUM__BUILD_HEADERS || first.args_size > THRUM__FRAME_MAX ||
        first.result_size > THRUM__FRAME_MAX)
        return -EPROTO;
    *call = (thrum__errand){.function = first.function, .args_size = first.args_size,
                            .result_size = first.result_size, .n_refs = first.n_refs};
    size_t refs_size = (size_t)first.n_refs * sizeof call->refs[0];
    memcpy(call->refs, at, refs_size);
    for (uint64_t i = 0; i < call->n_refs; i++)
        if (!fits(call, &call->refs[i]))
            return -EPROTO;
    bool shared = thrum__errand_find(call, THRUM__CALL_ARGS) != NULL;
    if (left - refs_size != (shared ? 0 : call->args_size))
        return -EPROTO;
    *args = shared ? NULL : at + refs_size;
    return 0;
}
