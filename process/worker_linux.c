/* SPDX-License-Identifier: MIT */
/* A worker, from the program's constructors to its end. What it is sent is as good as the parent's
 * memory. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exec/backend.h"
#include "worker_call.h"
#include "process.h"
#include "table.h"

enum { READ_SIZE = 1 << 14, TEXT_SIZE = 256 };

/* Who has nothing to do looks for a task for so long, as half a wake takes; before the end of the
 * first part of that the pool is not woken for the last result: it may be looking itself in a
 * moment. */
enum { LOOK_NS = 20000, FIRST_NS = 3000 };

typedef struct worker {
    int socket, parent, flags;
    thrum__place *place;
    thrum__ring_end down, up;
    bool silent; /* the pool was not told of the last result, which it may be waiting for */
    const char *name;
    thrum__table table;
    thrum__buffer in, out, args, result;
    thrum__callee callee;
    void *initarg; /* stays: the initializer may keep it */
} worker;

static bool has_entered;
static bool is_a_copy;
static bool constructs; /* started by its program, in the program's constructors */

const char *thrum__processes_refusal(void) {
    if (!has_entered)
        return "no file of the program includes thrum/processes.h or thrum/process.h";
    if (getauxval(AT_SECURE))
        return "the program has more rights than who started it (set-user-ID): its processes would "
               "have them too";
    if (constructs)
        return "a constructor of the program asks, which its processes run too: do it in main()";
    return NULL;
}

/* Where other processes stand between the pool and this one: it sees that nobody is left to talk
 * to. */
static void *watch_pool(void *arg) {
    const worker *self = arg;
    struct pollfd polled[] = {{self->socket, 0, 0},
                              {(int)syscall(SYS_pidfd_open, self->parent, 0), POLLIN, 0}};
    while (poll(polled, 2, -1) <= 0 || !(polled[0].revents | polled[1].revents))
        continue;
    kill(getpid(), SIGKILL);
    return NULL;
}

static void start_watching(worker *self) {
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    if (pthread_create(&thread, NULL, watch_pool, self) != 0)
        _exit(3);
    (void)pthread_detach(thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The pool's thread ends after its workers, or with its process. */
static void die_with_parent(const worker *self) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        (getppid() != self->parent && !(self->flags & THRUM__WORKER_COMMAND)))
        _exit(3);
}

/* The child of a fork in a task is no worker, if it comes back from that. */
static void leave_after_fork(void) { is_a_copy = true; }

/* Whoever cannot talk to the pool any more is of no use. */
static void end_badly(const char *what) {
    thrum__remote_complain("a worker of a process pool ends: %s: %s", what, thrum_strerror(-errno));
    _exit(3);
}

/* Lets the pool's thread look, through its poll(). */
static void poke(worker *self) {
    const char byte = THRUM__POKE;
    while (send(self->socket, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
        if (errno != EINTR)
            _exit(0); /* the pool is gone, or does not want us */
}

/* Lets the pool know of what was sent, if it sleeps. */
static void tell(worker *self) {
    self->silent = false;
    if (thrum__ring_awaited(&self->up))
        poke(self);
}

static void send_all(worker *self) {
    while (thrum__buffer_size(&self->out) > 0) {
        int64_t n = thrum__ring_put(&self->up, self->out.data + self->out.begin,
                                    thrum__buffer_size(&self->out));
        if (n < 0)
            _exit(3);
        if (n > 0) {
            thrum__buffer_take(&self->out, (size_t)n);
            continue;
        }
        tell(self);
        if (thrum__ring_await_room(&self->up))
            thrum__remote_sleep(&self->up.ring->full, 1);
    }
    self->silent = true;
}

static void need(bool done) {
    if (!done) {
        errno = ENOMEM;
        end_badly("no memory");
    }
}

typedef struct call {
    const thrum_task_type *type;
    const void *args;
    void *result;
} call;

static void run(void *arg) {
    call *it = arg;
    it->type->run(it->args, it->result);
}

static void begin(worker *self, uint64_t id) {
    if (self->silent)
        tell(self); /* this task may take long */
    uint64_t started = __atomic_load_n(&self->place->started, __ATOMIC_RELAXED);
    do
        while (started & THRUM__PLACE_HELD)
            pause(); /* about to be killed */
    /* release: pairs with begun(), hold() */
    while (!__atomic_compare_exchange_n(&self->place->started, &started, id, false,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static void do_task(worker *self, const thrum__frame_view *frame) {
    char text[TEXT_SIZE];
    thrum_failure failure;
    const thrum_task_type *type =
        frame->index < self->table.n ? self->table.types[frame->index] : NULL;
    errno = EPROTO;
    if (!type || frame->size != type->args_size)
        end_badly("a task that is none of this program");
    /* On the heap, so that they are aligned. */
    self->args.end = self->args.begin = self->result.end = self->result.begin = 0;
    need(thrum__buffer_put(&self->args, frame->bytes, frame->size) &&
         thrum__buffer_room(&self->result, type->result_size + 1));
    call it = {type, self->args.data, self->result.data};
    begin(self, frame->id);
    const char *given = thrum__callee_given(&self->callee, frame->id);
    int code = thrum__remote_run(type->name, given, run, &it, &failure, text, sizeof text);
    if (is_a_copy)
        _exit(0);
    if (code == 0) {
        need(thrum__frame_put(&self->out, THRUM__FRAME_RESULT, frame->index, frame->id,
                              self->result.data, type->result_size));
    } else {
        failure.thread = self->name;
        need(thrum__frame_put_failure(&self->out, THRUM__FRAME_FAILURE, frame->id, &failure));
    }
    send_all(self);
}

static void begin_call(void *self, uint64_t id) { begin(self, id); }

static void do_call(worker *self, const thrum__frame_view *frame) {
    int rc = thrum__callee_run(&self->callee, frame);
    if (is_a_copy)
        _exit(0);
    errno = -rc;
    if (rc != 0)
        end_badly("a task that cannot be run");
    send_all(self);
}

typedef struct setup {
    int (*function)(void *);
    void *arg;
    int rc;
} setup;

static void initialize(void *arg) {
    setup *it = arg;
    it->rc = it->function(it->arg);
    if (it->rc < 0)
        thrum_raise(it->rc, "the initializer of the pool failed"); /* what it has raised itself
                                                                    * wins */
}

static void do_setup(worker *self, const thrum__frame_view *frame) {
    char text[TEXT_SIZE];
    thrum_failure failure = {.code = -ENOENT, .message = text, .thread = self->name};
    thrum__address initializer;
    const uint8_t *arg;
    size_t size;
    setup it = {0};
    errno = EPROTO;
    if (thrum__setup_read(frame, &initializer, &arg, &size) != 0)
        end_badly("a frame that is none");
    if (size) {
        it.arg = self->initarg = malloc(size);
        need(it.arg != NULL);
        memcpy(it.arg, arg, size);
    }
    int code = 0;
    bool any = initializer.kind != THRUM__BUILD_NONE;
    if (any)
        it.function = (int (*)(void *))thrum__address_find(&initializer, text, sizeof text);
    if (any && !it.function)
        code = -ENOENT;
    else if (any)
        code = thrum__remote_run("initializer", NULL, initialize, &it, &failure, text, sizeof text);
    die_with_parent(self); /* another user or other rights: then the system has forgotten it */
    if (code != 0) {
        failure.thread = self->name;
        need(thrum__frame_put_failure(&self->out, THRUM__FRAME_BROKEN, 0, &failure));
    } else {
        need(thrum__frame_put(&self->out, THRUM__FRAME_READY, 0, 0, NULL, 0));
    }
    send_all(self);
}

static void do_name(worker *self, const thrum__frame_view *frame) {
    errno = -thrum__callee_name(&self->callee, frame);
    if (errno != 0)
        end_badly("a name that is none");
}

static void handle(worker *self, const thrum__frame_view *frame) {
    if (frame->kind == THRUM__FRAME_SETUP)
        do_setup(self, frame);
    else if (frame->kind == THRUM__FRAME_TASK)
        do_task(self, frame);
    else if (frame->kind == THRUM__FRAME_CALL)
        do_call(self, frame);
    else if (frame->kind == THRUM__FRAME_NAME)
        do_name(self, frame);
    else if (frame->kind == THRUM__FRAME_FORGET)
        thrum__known_forget(&self->callee.known, frame->id);
}

static bool look_down(const worker *self, int64_t ns) {
    return thrum__remote_look(&self->down.ring->tail, self->down.mine, ns);
}

/* Waits for something to do. */
static void wait(worker *self) {
    thrum__place *place = self->place;
    uint64_t *busy = &place->busy;
    __atomic_store_n(busy, thrum__busy_until(*busy, thrum__processes_now()), __ATOMIC_RELAXED);
    bool looks = thrum__remote_may_look(__atomic_load_n(&place->sender, __ATOMIC_RELAXED)) &&
                 place->looks;
    bool found = looks && look_down(self, FIRST_NS);
    found = found || thrum__ring_ready(&self->down);
    if (!found && self->silent)
        tell(self);
    if (looks) {
        found = found || look_down(self, LOOK_NS - FIRST_NS);
        thrum__remote_looked(found);
    }
    int64_t now = thrum__processes_now();
    if (!found) {
        int64_t start = now;
        while (thrum__ring_await(&self->down))
            thrum__remote_sleep(&self->down.ring->awaited, 1);
        now = thrum__processes_now();
        thrum__remote_slept(now - start);
    }
    __atomic_store_n(busy, thrum__busy_since(*busy, now), __ATOMIC_RELAXED);
    __atomic_store_n(&place->cpu, thrum__remote_cpu(), __ATOMIC_RELAXED);
}

/* Returns when the pool has no more for this worker. */
static void serve(void *arg) {
    worker *self = arg;
    for (;;) {
        thrum__frame_view frame;
        int64_t size;
        while ((size = thrum__frame_next(self->in.data + self->in.begin,
                                         thrum__buffer_size(&self->in), &frame)) > 0) {
            handle(self, &frame);
            thrum__buffer_take(&self->in, (size_t)size);
        }
        errno = EPROTO;
        if (size < 0)
            end_badly("what it was sent is no frame");
        uint8_t *room = thrum__buffer_room(&self->in, READ_SIZE);
        need(room != NULL);
        int64_t n = thrum__ring_get(&self->down, room, self->in.capacity - self->in.end);
        if (n == -ESHUTDOWN)
            return;
        if (n < 0)
            end_badly("what it was sent is no frame");
        thrum__buffer_grow(&self->in, (size_t)n);
        if (n == 0)
            wait(self);
        else if (thrum__ring_room_awaited(&self->down))
            poke(self);
    }
}

static void become(worker *self, int memory, int place) {
    size_t size = thrum__place_size();
    self->place = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory,
                       (off_t)((size_t)place * size));
    if (self->place == MAP_FAILED)
        end_badly("mmap");
    close(memory);
    self->callee = (thrum__callee){.table = &self->table, .name = self->name, .out = &self->out,
                                   .begin = begin_call, .arg = self,
                                   .known.socket = self->place->segments};
    (void)fcntl(self->place->segments, F_SETFD, FD_CLOEXEC);
    /* A child that a task forks has no business there. */
    (void)madvise(self->place, size, MADV_DONTFORK);
    self->down.ring = &self->place->down;
    self->up.ring = &self->place->up;
    if (getppid() != self->parent)
        start_watching(self);
    need(thrum__table_make(&self->table) == 0 &&
         thrum__table_put(&self->out, &self->table, (uint64_t)getpid()));
    send_all(self);
    (void)pthread_atfork(NULL, NULL, leave_after_fork);
    thrum__worker_guard(serve, self);
    exit(0);
}

/* The program's other constructors come first: tasks may need what they make. */
static void run_the_others(thrum__constructor *self, thrum__constructor *const *first,
                           thrum__constructor *const *end, int argc, char **argv,
                           char **environment) {
    while (first < end && *first != self)
        first++;
    constructs = true;
    for (first++; first < end; first++)
        if (*first && (uintptr_t)*first != UINTPTR_MAX)
            (*first)(argc, argv, environment);
    constructs = false;
}

void thrum__processes_enter(thrum__constructor *self, thrum__constructor *const *first,
                            thrum__constructor *const *end, int argc, char **argv,
                            char **environment) {
    int socket, memory, place, parent, flags, n = 0;
    const char *variable = secure_getenv(THRUM__WORKER_VARIABLE);
    thrum__constructor *const *found = first;
    while (found < end && *found != self)
        found++;
    if (has_entered || found == end)
        return; /* not by itself: link-time optimisation. It is called again */
    has_entered = true;
    if (thrum__process_arrive()) {
        run_the_others(self, first, end, argc, argv, environment);
        thrum__process_run();
    }
    if (!variable || sscanf(variable, "%d,%d,%d,%d,%d,%n", &socket, &memory, &place, &parent,
                            &flags, &n) != 5 || n == 0)
        return;
    static worker it;
    it.parent = parent;
    it.flags = flags;
    die_with_parent(&it);
    it.socket = socket;
    it.name = strdup(variable + n);
    (void)fcntl(socket, F_SETFD, FD_CLOEXEC);
    (void)fcntl(memory, F_SETFD, FD_CLOEXEC);
    (void)prctl(PR_SET_NAME, it.name); /* "exe" otherwise */
    unsetenv(THRUM__WORKER_VARIABLE);
    if (flags & THRUM__WORKER_OUTPUT)
        (void)setvbuf(stdout, NULL, _IOLBF, 0);
    run_the_others(self, first, end, argc, argv, environment);
    become(&it, memory, place);
}
