/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/backend.h"
#include "worker.h"

/* Whether it is a child of this process, and not of the one that this is a fork of. */
static bool is_child(const thrum_process *process) {
    return process->kind == THRUM__PROCESS_CHILD &&
           process->generation == thrum__process_generation();
}

static int refuse(const thrum_task_type *type, const char *why, int code) {
    thrum__remote_complain("%s_start_process: %s", type->name, why);
    return code;
}

static int check(const thrum_task_type *type, const thrum_process_opts *opts) {
    static const thrum_process_opts none;
    if (memcmp(opts->reserved, none.reserved, sizeof none.reserved) != 0)
        return refuse(type, "a reserved option is not zero", -EINVAL);
    const char *refusal = thrum__processes_refusal();
    if (refusal)
        return refuse(type, refusal, -ENOTSUP);
    if (thrum__process_self()->daemon)
        return refuse(type, "daemons may not start processes", -EPERM);
    return 0;
}

/* `identity`: room for "1:2" of "Process-1:2". */
static thrum_process *process_new(const thrum_process_opts *opts, char *identity, size_t size) {
    static unsigned counter; /* relaxed */
    const char *own = thrum__process_identity();
    char text[160];
    snprintf(identity, size, "%.100s%s%u", own, own[0] ? ":" : "",
             __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));
    snprintf(text, sizeof text, "Process-%s", identity);
    const char *name = opts->name ? opts->name : text;
    thrum_process *made = malloc(sizeof *made + strlen(name) + 1);
    if (!made)
        return NULL;
    *made = (thrum_process){.kind = THRUM__PROCESS_CHILD, .generation = thrum__process_generation(),
                            .daemon = opts->daemon, .refs = 1,
                            .child = {.pid = -1, .pidfd = -1}};
    made->name = strcpy((char *)(made + 1), name);
    return made;
}

static int start(thrum_process **out, const thrum_task_type *type, const void *args,
                 const thrum_process_opts *opts) {
    char identity[128];
    thrum__launch launch;
    thrum_process *made = process_new(opts, identity, sizeof identity);
    if (!made)
        return -ENOMEM;
    thrum__parcel parcel = {.parent = (int)getpid(), .daemon = opts->daemon, .name = made->name,
                            .identity = identity, .parent_name = thrum__process_self()->name};
    made->launch = &launch;
    int rc = thrum__parcel_pack(&launch, &parcel, type, args);
    if (rc == 0) {
        rc = thrum__process_launch(made);
        thrum__launch_close(&launch);
    }
    if (rc == 0 && out)
        *out = made;
    else
        thrum__process_unref(made);
    return rc;
}

int thrum__task_start_process(thrum_process **out, const thrum_task_type *type, const void *args,
                              const thrum_process_opts *opts) {
    static const thrum_process_opts defaults;
    int cancel, rc;
    opts = opts ? opts : &defaults;
    rc = check(type, opts);
    if (rc != 0)
        return rc;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    rc = start(out, type, args, opts);
    (void)pthread_setcancelstate(cancel, &cancel);
    return rc;
}

int thrum_process_join(thrum_process *process) {
    if (!is_child(process))
        return -ECHILD;
    thrum_event_wait(&process->ended);
    return 0;
}

int thrum_process_join_until(thrum_process *process, thrum_deadline deadline) {
    return is_child(process) ? thrum_event_wait_until(&process->ended, deadline) : -ECHILD;
}

int thrum_process_exit_code(const thrum_process *process, int *code) {
    if (!is_child(process))
        return -ECHILD;
    if (!thrum_event_is_set(&process->ended))
        return -EAGAIN;
    int status = process->status;
    if (status == -1)
        return -ECHILD;
    *code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    return 0;
}

bool thrum_process_is_alive(const thrum_process *process) {
    if (process->kind == THRUM__PROCESS_PARENT)
        return getppid() == process->pid;
    return process->kind == THRUM__PROCESS_SELF ||
           (is_child(process) && !thrum_event_is_set(&process->ended));
}

int thrum_process_terminate(thrum_process *process) {
    return is_child(process) ? thrum__process_signal(process, SIGTERM) : -ECHILD;
}

int thrum_process_kill(thrum_process *process) {
    return is_child(process) ? thrum__process_signal(process, SIGKILL) : -ECHILD;
}

const char *thrum_process_name(const thrum_process *process) { return process->name; }

int thrum_process_pid(const thrum_process *process) {
    return process->kind == THRUM__PROCESS_SELF ? (int)getpid() : process->pid;
}

bool thrum_process_is_daemon(const thrum_process *process) { return process->daemon; }

thrum_waitable thrum_process_waitable(thrum_process *process) {
    return thrum_event_waitable(&process->ended);
}

void thrum_process_free(thrum_process *process) {
    if (process && process->kind == THRUM__PROCESS_CHILD)
        thrum__process_unref(process);
}

int thrum_process_close(thrum_process *process) {
    if (is_child(process) && !thrum_event_is_set(&process->ended))
        return -EBUSY;
    thrum_process_free(process);
    return 0;
}
