/* SPDX-License-Identifier: MIT */
/* A context with its own stack, and the switch from one to another, known to the sanitizers. */
#ifndef THRUM_TESTS_FIBER_H
#define THRUM_TESTS_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

typedef struct fiber {
    ucontext_t context;
    void *stack; /* NULL: the stack of the OS thread */
    size_t stack_size;
    const void *bottom; /* what ASan is told */
    size_t bottom_size;
    void *fake_stack; /* ASan's, while switched out */
    void *tsan;
} fiber;

/* Makes `self` stand for the caller's context. */
void fiber_init_self(fiber *self);

/* Prepares a context that runs entry() with `stack_size` bytes. Returns 0 or -ENOMEM. */
int fiber_init(fiber *self, size_t stack_size, void (*entry)(void));

/* Frees the stack of `self`, which does not run. */
void fiber_destroy(fiber *self);

/* Leaves `from` for `to`. Returns when somebody switches back; never if `last`. */
void fiber_switch(fiber *from, fiber *to, bool last);

/* To be called first thing in entry(); `from` is the context that was left. */
void fiber_entered(fiber *self, fiber *from);

#endif
