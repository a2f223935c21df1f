/* SPDX-License-Identifier: MIT */
#include "fiber.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sanitizers.h"

enum { DEFAULT_STACK = 256 * 1024 };

void fiber_init_self(fiber *self) {
    memset(self, 0, sizeof *self);
    self->tsan = tsan_current();
}

int fiber_init(fiber *self, size_t stack_size, void (*entry)(void)) {
    memset(self, 0, sizeof *self);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = stack_size > DEFAULT_STACK ? stack_size : DEFAULT_STACK;
    if (size > (SIZE_MAX >> 1))
        return -ENOMEM;
    size = (size + page - 1) / page * page + page;
    char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return -ENOMEM;
    mprotect(stack, page, PROT_NONE);
    self->stack = stack;
    self->stack_size = size;
    self->bottom = stack + page;
    self->bottom_size = size - page;
    getcontext(&self->context);
    self->context.uc_stack.ss_sp = stack + page;
    self->context.uc_stack.ss_size = size - page;
    self->context.uc_link = NULL;
    makecontext(&self->context, entry, 0);
    self->tsan = tsan_create();
    return 0;
}

void fiber_destroy(fiber *self) {
    tsan_destroy(self->tsan);
    munmap(self->stack, self->stack_size);
}

void fiber_switch(fiber *from, fiber *to, bool last) {
    asan_start_switch(last ? NULL : &from->fake_stack, to->bottom, to->bottom_size);
    tsan_switch(to->tsan);
    swapcontext(&from->context, &to->context);
    asan_finish_switch(from->fake_stack, NULL, NULL);
}

void fiber_entered(fiber *self, fiber *from) {
    const void *bottom;
    size_t size;
    asan_finish_switch(self->fake_stack, &bottom, &size);
    if (SPEC_ASAN && !from->stack) {
        from->bottom = bottom;
        from->bottom_size = size;
    }
}
