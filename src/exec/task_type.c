/* SPDX-License-Identifier: MIT */
/* The tasks of the program and its libraries, by name: one module for each that has any. */
#include <thrum/task.h>

#include <errno.h>
#include <string.h>

#include "base/fork.h"
#include "base/panic.h"
#include "base/raw_lock.h"

static thrum__raw_lock modules_lock;
static thrum__task_module *modules; /* under modules_lock, as every module in it */

static void lock_modules(void) { thrum__raw_lock_acquire(&modules_lock); }

static void unlock_modules(void) { thrum__raw_lock_release(&modules_lock); }

static const thrum__fork_hooks fork_hooks = {lock_modules, unlock_modules, unlock_modules};

/* Called by each task of a module. */
void thrum__tasks_register(thrum__task_module *module, const thrum_task_type *const *first,
                           const thrum_task_type *const *end) {
    thrum__fork_register(THRUM__FORK_TASKS, &fork_hooks);
    lock_modules();
    if (!module->registered) {
        *module = (thrum__task_module){modules, first, end, true};
        modules = module;
    }
    unlock_modules();
}

void thrum__tasks_unregister(thrum__task_module *module) {
    lock_modules();
    for (thrum__task_module **at = &modules; *at; at = &(*at)->next) {
        if (*at == module) {
            *at = module->next;
            module->registered = false;
            break;
        }
    }
    unlock_modules();
}

const thrum_task_type *thrum_task_find(const char *name) {
    const thrum_task_type *found = NULL;
    int n = 0;
    lock_modules();
    for (const thrum__task_module *module = modules; name && module; module = module->next) {
        for (const thrum_task_type *const *type = module->first; type < module->end; type++) {
            if (strcmp((*type)->name, name) == 0) {
                found = *type;
                n++;
            }
        }
    }
    unlock_modules();
    if (n == 1)
        return found;
    if (n > 1)
        thrum__complain("thrum_task_find: %d tasks are called \"%s\"", n, name);
    errno = n > 1 ? EEXIST : ENOENT;
    return NULL;
}

int thrum_task_enumerate(const thrum_task_type **out, int n) {
    int found = 0;
    lock_modules();
    for (const thrum__task_module *module = modules; module; module = module->next) {
        for (const thrum_task_type *const *type = module->first; type < module->end; type++) {
            if (found < n)
                out[found] = *type;
            found++;
        }
    }
    unlock_modules();
    return found;
}
