/* SPDX-License-Identifier: MIT */
#include <thrum/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/panic.h"
#include "base/raw_lock.h"
#include "thread/thread.h"

static thrum__raw_lock hook_lock;
static void (*hook)(const thrum_failure *, void *); /* under hook_lock */
static void *hook_arg;                              /* under hook_lock */

void thrum_set_excepthook(void (*function)(const thrum_failure *, void *), void *arg) {
    thrum__raw_lock_acquire(&hook_lock);
    hook = function;
    hook_arg = arg;
    thrum__raw_lock_release(&hook_lock);
}

void thrum__failure_child_after_fork(void) { hook_lock = (thrum__raw_lock){0}; }

const char *thrum__failure_process;

static void report_to_stderr(const thrum_failure *failure) {
    const char *process = thrum__failure_process;
    char place[THRUM__MESSAGE_SIZE] = "";
    if (failure->file)
        snprintf(place, sizeof place, " at %s:%d", failure->file, failure->line);
    thrum__complain("%s%s%s%s \"%s\" failed: %s (%s, %d)%s", process ? "process \"" : "",
                    process ? process : "", process ? "\": " : "",
                    failure->task ? "task" : "thread",
                    failure->task ? failure->task : failure->thread ? failure->thread : "?",
                    failure->message, thrum_strerror(failure->code), failure->code, place);
}

void thrum__failure_report(const thrum_failure *failure) {
    thrum__raw_lock_acquire(&hook_lock);
    void (*function)(const thrum_failure *, void *) = hook;
    void *arg = hook_arg;
    thrum__raw_lock_release(&hook_lock);
    if (function)
        function(failure, arg);
    else
        report_to_stderr(failure);
}

static void forget(thrum_thread *thread) {
    thread->raised = false;
    thread->failure = (thrum_failure){.code = 0};
}

void thrum__failure_flush(const char *task) {
    thrum_thread *self = thrum__thread_of(thrum__strand_self());
    char message[THRUM__MESSAGE_SIZE];
    if (!self || !self->raised)
        return;
    thrum_failure failure = self->failure;
    memcpy(message, self->message, sizeof message);
    failure.message = message;
    failure.thread = thrum_thread_name(self);
    failure.task = task;
    forget(self);
    thrum__failure_report(&failure);
    forget(self); /* what the hook has raised */
}

int thrum__failure_fill(thrum_failure *failure, char *message, size_t size, const char *file,
                        int line, int code, const char *format, va_list args) {
    static const char cut[] = "...";
    int n = vsnprintf(message, size, format, args);
    if (n < 0)
        message[0] = '\0';
    else if ((size_t)n >= size)
        memcpy(message + size - sizeof cut, cut, sizeof cut);
    *failure = (thrum_failure){
        .code = code < 0 ? code : -EINVAL, .message = message, .file = file, .line = line};
    return failure->code;
}

static int raise_at_once(thrum_thread *self, const char *file, int line, int code,
                         const char *format, va_list args) {
    char message[THRUM__MESSAGE_SIZE];
    thrum_failure failure;
    thrum__failure_fill(&failure, message, sizeof message, file, line, code, format, args);
    failure.thread = self ? thrum_thread_name(self) : NULL;
    thrum__failure_report(&failure);
    return failure.code;
}

bool (*thrum__raise_in_task)(const char *file, int line, int *code, const char *format,
                             va_list args);

int thrum_raise_at(const char *file, int line, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    bool in_task = thrum__raise_in_task && thrum__raise_in_task(file, line, &code, format, args);
    va_end(args);
    if (in_task)
        return code;
    thrum_thread *self = thrum_thread_current();
    va_start(args, format);
    if (!self || !self->started_here)
        code = raise_at_once(self, file, line, code, format, args);
    else if (!self->raised)
        code = thrum__failure_fill(&self->failure, self->message, sizeof self->message, file, line,
                                   code, format, args);
    else
        code = self->failure.code;
    if (self && self->started_here)
        self->raised = true;
    va_end(args);
    return code;
}
