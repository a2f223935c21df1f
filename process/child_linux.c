/* SPDX-License-Identifier: MIT */
/* A process for one task, from the program's constructors to its end; and what this process is
 * called. Without exceptions pthread_cleanup_push() makes a place that pthread_exit() unwinds
 * to. */
#undef __EXCEPTIONS
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "exec/backend.h"
#include "process.h"

enum { TEXT_SIZE = 256, FAILED = 1 };

static thrum__parcel parcel; /* read-only once the constructors run, as the next */
static thrum_process self = {.kind = THRUM__PROCESS_SELF, .name = "MainProcess"};
static thrum_process parent = {.kind = THRUM__PROCESS_PARENT};

thrum_process *thrum__process_self(void) { return &self; }

const char *thrum__process_identity(void) { return parcel.identity ? parcel.identity : ""; }

thrum_process *thrum_process_current(void) { return &self; }

thrum_process *thrum_process_parent(void) { return parent.name ? &parent : NULL; }

/* What the parent reads from its terminal is not for us. */
static void read_nothing(void) {
    int fd = open("/dev/null", O_RDONLY);
    if (fd > STDIN_FILENO) {
        (void)dup2(fd, STDIN_FILENO);
        close(fd);
    }
}

static void be(const thrum__parcel *told) {
    self.name = told->name;
    self.daemon = told->daemon;
    parent.name = told->parent_name;
    parent.pid = told->parent;
    thrum__remote_be(self.name);
    (void)prctl(PR_SET_NAME, program_invocation_short_name); /* not "exe" */
}

bool thrum__process_arrive(void) {
    const char *variable = secure_getenv(THRUM__PROCESS_VARIABLE);
    int fd;
    atexit(thrum__process_end);
    if (!variable || sscanf(variable, "%d", &fd) != 1)
        return false;
    unsetenv(THRUM__PROCESS_VARIABLE);
    int rc = thrum__parcel_unpack(&parcel, fd);
    if (rc != 0) {
        thrum__remote_complain("a process ends without its task: %s", thrum_strerror(rc));
        _exit(FAILED);
    }
    /* The thread that started this process lives as long as its process. */
    if (parcel.daemon && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parcel.parent))
        _exit(FAILED);
    read_nothing();
    be(&parcel);
    return true;
}

typedef struct call {
    const thrum_task_type *type;
    void *result;
} call;

static void run(void *arg) {
    call *it = arg;
    size_t offset = thrum__pack_offset(it->type->args_size);
    if (!thrum__pack_has(it->type) ||
        thrum__pack_take(it->type, parcel.args, (char *)parcel.args + offset,
                         parcel.args_size - offset))
        it->type->run(parcel.args, it->result);
}

/* pthread_exit() in the task: as if it had returned. */
static void deserted(void *arg) {
    (void)arg;
    exit(0);
}

static int run_task(const thrum_task_type *type) {
    static void *result; /* nothing that the program has left is a leak */
    char text[TEXT_SIZE];
    thrum_failure failure;
    result = malloc(type->result_size + 1);
    if (!result) {
        thrum__remote_complain("process \"%s\": no memory", self.name);
        return FAILED;
    }
    call it = {type, result};
    if (thrum__remote_run(type->name, NULL, run, &it, &failure, text, sizeof text) == 0)
        return 0;
    failure.thread = thrum_thread_name(thrum_thread_current());
    thrum__remote_report(&failure);
    return FAILED;
}

void thrum__process_run(void) {
    const thrum_task_type *type = thrum__parcel_task(&parcel);
    int code = FAILED;
    pthread_cleanup_push(deserted, NULL);
    if (type)
        code = run_task(type);
    pthread_cleanup_pop(0);
    exit(code);
}
