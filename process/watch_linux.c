/* SPDX-License-Identifier: MIT */
/* The processes that were started here, and the thread that starts them and sees them end. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <thrum/thread.h>
#include <unistd.h>

#include "exec/backend.h"
#include "process.h"

enum { BLIND_MS = 10, EVENTS = 16, NAMES_SIZE = 512 };
static const double GRACE_SECONDS = 5.0; /* and until the notice */

static thrum_lock lock;
static thrum_process *starting, **last = &starting; /* under lock: the first is being started */
static thrum_process *alive;                        /* under lock */
static bool watched, ending; /* under lock: the thread runs; the program ends */
static bool used;            /* relaxed: forks mind the lock */
static int wake = -1, events = -1;                  /* read-only once the thread runs */
static unsigned generation;                         /* read-only, but in the child of a fork */

unsigned thrum__process_generation(void) { return generation; }

/* Under lock. */
static void drop(thrum_process *process) {
    if (--process->refs == 0)
        free(process);
}

void thrum__process_unref(thrum_process *process) {
    thrum_lock_acquire(&lock);
    drop(process);
    thrum_lock_release(&lock);
}

/* Returns whether it is seen without a look at it now and then. */
static bool see(thrum_process *process) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = process};
    return process->child.pidfd >= 0 &&
           epoll_ctl(events, EPOLL_CTL_ADD, process->child.pidfd, &event) == 0;
}

/* In this thread, which lives as long as the program: the end of a daemon's parent is that of the
 * thread that started it. */
static void start(thrum_process *process) {
    char variable[64];
    char *const argv[] = {program_invocation_name, NULL};
    thrum__child child = {.pid = -1, .pidfd = -1};
    snprintf(variable, sizeof variable, THRUM__PROCESS_VARIABLE "=%d",
             process->launch->keep[process->launch->n_keep - 1]);
    thrum_lock_acquire(&lock);
    int rc = ending ? -ESHUTDOWN : 0;
    thrum_lock_release(&lock);
    if (rc == 0)
        rc = thrum__spawn_child(&child, &(thrum__spawn){.argv = argv, .variable = variable,
                                                        .keep = process->launch->keep,
                                                        .n_keep = process->launch->n_keep,
                                                        .output = -1});
    thrum_lock_acquire(&lock);
    if (!(starting = process->next))
        last = &starting;
    process->rc = rc;
    process->launch = NULL;
    if (rc == 0) {
        process->pid = (int)child.pid;
        process->child = child;
        process->blind = !see(process);
        process->next = alive;
        alive = process;
        if (ending && process->daemon)
            (void)thrum__spawn_kill(&child, SIGTERM);
    }
    thrum_event_set(&process->started);
    if (rc != 0)
        drop(process);
    thrum_lock_release(&lock);
}

static void start_all(void) {
    for (;;) {
        thrum_lock_acquire(&lock);
        thrum_process *process = starting;
        thrum_lock_release(&lock);
        if (!process)
            return;
        start(process);
    }
}

/* The descriptor is taken out first: a fork's copy of it would keep it in. */
static void look(thrum_process *process) {
    int status;
    thrum_lock_acquire(&lock);
    if (!process->blind)
        (void)epoll_ctl(events, EPOLL_CTL_DEL, process->child.pidfd, NULL);
    process->blind = true; /* it may have ended, and be held by a debugger still */
    if (thrum__spawn_reap(&process->child, false, &status)) {
        thrum_process **at = &alive;
        while (*at != process)
            at = &(*at)->next;
        *at = process->next;
        process->status = status;
        thrum_event_set(&process->ended);
        drop(process);
    }
    thrum_lock_release(&lock);
}

/* Looks at those that no descriptor speaks of. Returns whether there are any. Only this thread
 * changes the list. */
static bool look_at_the_blind(void) {
    bool any = false;
    for (thrum_process *process = alive, *next; process; process = next) {
        next = process->next;
        any = any || process->blind;
        if (process->blind)
            look(process);
    }
    return any;
}

static void *watch(void *arg) {
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL); /* no handler of the program runs here */
    for (;;) {
        struct epoll_event found[EVENTS];
        uint64_t count;
        start_all();
        int n = epoll_wait(events, found, EVENTS, look_at_the_blind() ? BLIND_MS : -1);
        for (int i = 0; i < n; i++) {
            if (found[i].data.ptr)
                look(found[i].data.ptr);
            else
                (void)!read(wake, &count, sizeof count);
        }
    }
    return arg;
}

static void close_both(void) {
    if (wake >= 0)
        close(wake);
    if (events >= 0)
        close(events);
    wake = events = -1;
}

/* Under lock. Returns 0 or a negative errno. */
static int need_watch(void) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (watched)
        return 0;
    wake = thrum__spawn_above(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    events = wake < 0 ? -1 : thrum__spawn_above(epoll_create1(EPOLL_CLOEXEC));
    int rc = events < 0 || epoll_ctl(events, EPOLL_CTL_ADD, wake, &event) != 0 ? -errno : 0;
    if (rc == 0)
        rc = thrum_thread_start(NULL, watch, NULL,
                                &(thrum_thread_opts){.name = "thrum-process", .daemon = true});
    watched = rc == 0;
    if (rc != 0)
        close_both();
    return rc;
}

static void before_fork(void) { thrum_lock_acquire(&lock); }

static void after_fork(void) { thrum_lock_release(&lock); }

/* Nothing that was started is a child of this process. Who has a handle keeps it, and waits for
 * nothing. */
static void in_child(void) {
    generation++;
    lock = (thrum_lock)THRUM_LOCK_INIT;
    for (thrum_process *next; alive; alive = next) {
        next = alive->next;
        if (alive->child.pidfd >= 0)
            close(alive->child.pidfd);
        thrum_event_set(&alive->ended);
        drop(alive);
    }
    starting = NULL;
    last = &starting;
    watched = ending = false;
    close_both();
}

/* After the library's own, which tasks have registered: so this is called before them, when the lot
 * still works. */
static void register_forks(void) {
    pthread_atfork(before_fork, after_fork, in_child);
    __atomic_store_n(&used, true, __ATOMIC_RELAXED);
}

int thrum__process_launch(thrum_process *process) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint64_t one = 1;
    pthread_once(&once, register_forks);
    thrum_lock_acquire(&lock);
    int rc = ending ? -ESHUTDOWN : need_watch();
    if (rc == 0) {
        process->refs++;
        process->next = NULL;
        *last = process;
        last = &process->next;
        while (write(wake, &one, sizeof one) < 0 && errno == EINTR)
            continue;
    }
    thrum_lock_release(&lock);
    if (rc != 0)
        return rc;
    thrum_event_wait(&process->started);
    return process->rc;
}

int thrum__process_signal(thrum_process *process, int signal) {
    thrum_lock_acquire(&lock);
    int rc = thrum__spawn_kill(&process->child, signal);
    thrum_lock_release(&lock);
    return rc;
}

int thrum_process_enumerate(thrum_process **out, int n) {
    int found = 0;
    if (!__atomic_load_n(&used, __ATOMIC_RELAXED))
        return 0;
    thrum_lock_acquire(&lock);
    for (thrum_process *process = alive; process; process = process->next, found++) {
        if (found < n) {
            process->refs++;
            out[found] = process;
        }
    }
    thrum_lock_release(&lock);
    return found;
}

/* Asks daemons to end; at the second time makes them. */
static void end_daemons(int signal) {
    thrum_lock_acquire(&lock);
    ending = true;
    for (thrum_process *process = alive; process; process = process->next)
        if (process->daemon)
            (void)thrum__spawn_kill(&process->child, signal);
    thrum_lock_release(&lock);
}

static void print_notice(void) {
    const char *wanted = getenv("THRUM_EXIT_NOTICE");
    char names[NAMES_SIZE] = "";
    size_t n = 0;
    if (wanted && strcmp(wanted, "0") == 0)
        return;
    thrum_lock_acquire(&lock);
    for (thrum_process *process = alive; process && n < sizeof names - 1; process = process->next) {
        int more = process->daemon ? 0 : snprintf(names + n, sizeof names - n, "%s\"%s\" (%d)",
                                                  n ? ", " : "", process->name, process->pid);
        n += more > 0 ? (size_t)more : 0;
    }
    thrum_lock_release(&lock);
    if (n > 0)
        thrum__remote_complain("the program's end waits for process %s", names);
}

/* Returns one that has not ended, or is being started, with a reference; NULL: there is none. */
static thrum_process *any(void) {
    thrum_lock_acquire(&lock);
    thrum_process *found = alive ? alive : starting;
    if (found)
        found->refs++;
    thrum_lock_release(&lock);
    return found;
}

/* Waits for the start, if it has not been; then for the end. Returns 0, -ETIMEDOUT or -EINTR. */
static int wait_for(thrum_process *process, thrum_deadline deadline) {
    thrum_event_wait(&process->started);
    int rc = process->rc == 0 ? thrum_event_wait_until(&process->ended, deadline) : 0;
    thrum__process_unref(process);
    return rc;
}

void thrum__process_end(void) {
    thrum_deadline deadline = thrum_in(GRACE_SECONDS);
    thrum_process *process;
    end_daemons(SIGTERM);
    while ((process = any()) != NULL) {
        if (wait_for(process, deadline) == -ETIMEDOUT) {
            print_notice();
            end_daemons(SIGKILL);
            deadline = THRUM_NEVER;
        }
    }
}
