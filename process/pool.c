/* SPDX-License-Identifier: MIT */
/* The pool as its executor sees it. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store.h"
enum { IDLE_SECONDS = 10 };  /* as in pools of threads */
enum { START_SECONDS = 60 }; /* for a worker to be up */
enum { LITTER = 16 };        /* one of so many jobs whose task has ended */

static __thread const thrum__processes *own; /* the pool whose thread this is */

void thrum__processes_poke(thrum__processes *pool) {
    const uint64_t one = 1;
    while (write(pool->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* Who calls from outside does not end in here: write(), sendmsg() and close() are cancellation
 * points, and it holds what all others wait for. */
int thrum__processes_shield(void) {
    int before;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void thrum__processes_unshield(int before) { (void)pthread_setcancelstate(before, &before); }

static const char *check(const thrum_executor_opts *opts, const thrum_processes_opts *more) {
    static const thrum_processes_opts none;
    thrum__address initializer;
    if (opts->overflow == THRUM_OVERFLOW_CALLER_RUNS)
        return "THRUM_OVERFLOW_CALLER_RUNS: the caller is no worker process";
    if (opts->initializer &&
        thrum__address_of((thrum__function *)opts->initializer, &initializer) != 0)
        return "the initializer is not a function of the program or a library";
    if (!opts->initializer && more->initarg_size)
        return "initarg_size without an initializer";
    if (more->max_tasks_per_child < 0 || more->retries < 0)
        return "max_tasks_per_child or retries is negative";
    if (isnan(more->time_limit) || more->time_limit < 0)
        return "time_limit is negative or not a number";
    if (isnan(more->start_limit) || more->start_limit < 0)
        return "start_limit is negative or not a number";
    if (more->command && (!more->command[0] || !*more->command[0]))
        return "command is empty";
    if (more->output != 0 && more->output != 1)
        return "output is neither 0 nor 1";
    if (memcmp(more->reserved, none.reserved, sizeof none.reserved) != 0)
        return "a reserved option is not zero";
    return NULL;
}

static void free_pool(thrum__processes *pool) {
    thrum_thread_free(pool->thread);
    if (pool->places)
        munmap(pool->places, (size_t)pool->max_workers * thrum__place_size());
    if (pool->memory >= 0)
        close(pool->memory);
    if (pool->wake >= 0)
        close(pool->wake);
    thrum__table_free(&pool->table);
    thrum__output_free(pool->output);
    thrum__spawn_free_texts(pool->environment);
    thrum__spawn_free_texts(pool->command);
    free(pool->path);
    thrum__store_close();
    free(pool->hands);
    free(pool->initarg);
    free(pool->name);
    free(pool);
}

static char *name_of(const char *prefix) {
    static uint32_t counter; /* relaxed */
    char text[32];
    snprintf(text, sizeof text, "Processes-%u", __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));
    return strdup(prefix ? prefix : text);
}

/* Returns 0 or an errno. */
static int make_shared(thrum__processes *pool) {
    size_t size = (size_t)pool->max_workers * thrum__place_size();
    pool->wake = thrum__spawn_above(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    pool->memory = thrum__spawn_above(
        memfd_create("thrum-processes", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (pool->wake < 0 || pool->memory < 0 || ftruncate(pool->memory, (off_t)size) != 0)
        return errno;
    /* no worker takes it away */
    (void)fcntl(pool->memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL);
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pool->memory, 0);
    if (mapped == MAP_FAILED)
        return errno;
    pool->places = mapped;
    (void)madvise(mapped, size, MADV_DONTFORK);
    return 0;
}

/* Returns 0 or a negative errno. */
static int make_command(thrum__processes *pool) {
    const char *const *command = pool->opts.command;
    if (!command)
        return 0;
    pool->path = thrum__spawn_find(command[0]);
    if (!pool->path) {
        int error = errno;
        thrum__remote_complain("thrum_executor_new: processes: command: \"%s\": %s", command[0],
                               thrum_strerror(-error));
        return -error;
    }
    pool->command = thrum__spawn_texts((char *const *)(uintptr_t)command);
    return pool->command ? 0 : -ENOMEM;
}

static int start_thread(thrum__processes *pool) {
    return thrum_thread_start(&pool->thread, thrum__processes_main, pool,
                              &(thrum_thread_opts){.name = pool->name, .daemon = true});
}

static int make(thrum__processes *pool, const thrum_executor_opts *opts) {
    thrum__jobs_init(&pool->intake);
    thrum__jobs_init(&pool->ranked_intake);
    thrum__jobs_init(&pool->queue);
    pool->hands = calloc((size_t)pool->max_workers, sizeof *pool->hands);
    pool->name = name_of(opts->name_prefix);
    pool->environment = thrum__spawn_environment();
    if (pool->opts.initarg_size && (pool->initarg = malloc(pool->opts.initarg_size)))
        memcpy(pool->initarg, opts->initarg, pool->opts.initarg_size);
    if (!pool->hands || !pool->name || !pool->environment ||
        (pool->opts.initarg_size && !pool->initarg))
        return -ENOMEM;
    int rc = make_command(pool);
    if (rc == 0)
        rc = thrum__table_make(&pool->table);
    if (rc == 0)
        rc = -make_shared(pool);
    if (rc == 0 && pool->opts.output)
        rc = thrum__output_new(&pool->output, pool->name);
    if (rc != 0)
        return rc;
    for (int i = 0; i < pool->max_workers; i++)
        pool->hands[i] = (thrum__hand){.place = i, .socket = -1, .child = {.pid = -1, .pidfd = -1}};
    return start_thread(pool);
}

/* INT64_MAX: never. */
static int64_t nanoseconds(double seconds) {
    return seconds < 9e9 ? (int64_t)(seconds * 1e9) + 1 : INT64_MAX;
}

static int make_pool(thrum_executor *executor, const thrum_executor_opts *opts, void **state) {
    static const thrum_processes_opts defaults;
    const thrum_processes_opts *more = opts->backend_opts ? opts->backend_opts : &defaults;
    const char *refusal = thrum__processes_refusal(), *bad = refusal ? refusal : check(opts, more);
    if (bad)
        thrum__remote_complain("thrum_executor_new: processes: %s", bad);
    if (bad)
        return refusal || opts->overflow == THRUM_OVERFLOW_CALLER_RUNS ? -ENOTSUP : -EINVAL;
    thrum__processes *pool = calloc(1, sizeof *pool);
    if (!pool)
        return -ENOMEM;
    thrum__store_open();
    pool->executor = executor;
    pool->max_workers = opts->max_workers ? opts->max_workers : thrum_default_workers();
    pool->queue_limit = opts->queue_limit;
    pool->overflow = opts->overflow;
    pool->opts = *more;
    pool->wake = pool->memory = -1;
    pool->looking = thrum__remote_cpus() - 1;
    if (more->start_limit <= 0)
        pool->opts.start_limit = START_SECONDS;
    pool->idle_ns = nanoseconds(opts->idle_timeout > 0 ? opts->idle_timeout : IDLE_SECONDS);
    pool->start_ns = nanoseconds(pool->opts.start_limit / THRUM__START_PARTS);
    if (opts->initializer)
        (void)thrum__address_of((thrum__function *)opts->initializer, &pool->initializer);
    if (more->initarg_size && !opts->initarg)
        pool->opts.initarg_size = 0;
    int rc = make(pool, opts);
    if (rc == 0)
        *state = pool;
    else
        free_pool(pool);
    return rc;
}

static int open_pool(thrum_executor *executor, const thrum_executor_opts *opts, void **state) {
    int before = thrum__processes_shield();
    int rc = make_pool(executor, opts, state);
    thrum__processes_unshield(before);
    return rc;
}

/* Under the lock. Returns 0 when there is room and the pool takes tasks. */
static int take_room(thrum__processes *pool, int64_t deadline) {
    int rc = 0;
    while (!pool->refused && !pool->closed && pool->queue_limit && own != pool &&
           pool->waiting >= pool->queue_limit) {
        if (pool->overflow == THRUM_OVERFLOW_REFUSE)
            return -EAGAIN;
        if (rc != 0)
            return rc;
        if (deadline == INT64_MAX)
            thrum_condition_wait(&pool->room, &pool->lock);
        else
            rc = thrum_condition_wait_until(&pool->room, &pool->lock, (thrum_deadline){deadline});
    }
    return pool->refused ? pool->refused : pool->closed ? -ESHUTDOWN : 0;
}

/* Returns the index of a task in its frame, or a negative errno. */
static int64_t index_of(const thrum__processes *pool, const thrum_task_type *type) {
    int64_t index = type ? thrum__table_index(&pool->table, type) : THRUM__CALL_FUNCTION;
    if (index < 0)
        thrum__remote_complain(index == -EEXIST
                                   ? "%s_submit: several tasks are called so"
                                   : "%s_submit: the task came after the pool was made",
                               type->name);
    return index;
}

static int take(thrum__processes *pool, const thrum__remote_task *task) {
    int64_t index = index_of(pool, task->type);
    if (index < 0)
        return (int)index;
    thrum__job *job = malloc(sizeof *job);
    if (!job)
        return -ENOMEM;
    *job = (thrum__job){.task = *task,
                        .index = (uint32_t)index,
                        .rank.priority = task->priority,
                        .time_limit = task->time_limit > 0 ? task->time_limit
                                                           : pool->opts.time_limit,
                        .retries = task->retries ? task->retries : pool->opts.retries};
    if (!task->type)
        job->progress = ((const thrum__items *)task->args)->progress;
    bool pumps = false;
    int bad = thrum__job_call(task, job->retries > 0, &job->call);
    if (bad != 0) {
        free(job);
        return bad;
    }
    thrum_lock_acquire(&pool->lock);
    int rc = take_room(pool, task->deadline);
    if (rc == 0) {
        thrum__queue_submit(pool, job);
        pool->waiting++;
        pool->submitted++;
        /* Who holds the pump looks at the intake before it lets go. */
        pumps = thrum__pump_try(pool);
    }
    thrum_lock_release(&pool->lock);
    if (rc != 0)
        thrum__job_free(job);
    if (pumps)
        thrum__pump_submitted(pool);
    return rc;
}

static int submit(void *state, const thrum__remote_task *task) {
    int before = thrum__processes_shield();
    int rc = take(state, task);
    thrum__processes_unshield(before);
    return rc;
}

static void *reserve(void *state, size_t size, void **handle) {
    (void)state;
    int before = thrum__processes_shield();
    void *memory = thrum__store_take(size, handle);
    thrum__processes_unshield(before);
    return memory;
}

static void release(void *handle) {
    int before = thrum__processes_shield();
    thrum__store_give(handle);
    thrum__processes_unshield(before);
}

static void cancelled(void *state) {
    int before = thrum__processes_shield();
    thrum__processes_poke(state);
    thrum__processes_unshield(before);
}

/* Its job stays in the queue until it is met; or a part of all are such, which pays for going
 * through them. */
static void withdrawn(void *state) {
    thrum__processes *pool = state;
    int before = thrum__processes_shield();
    thrum_lock_acquire(&pool->lock);
    pool->waiting--;
    pool->withdrawn++;
    if (pool->queue_limit)
        thrum_condition_notify(&pool->room, 1);
    if (!pool->littered && pool->withdrawn > pool->waiting / LITTER) {
        pool->littered = true;
        thrum__processes_poke(pool);
    }
    thrum_lock_release(&pool->lock);
    thrum__processes_unshield(before);
}

static void close_pool(void *state, bool cancel) {
    thrum__processes *pool = state;
    int before = thrum__processes_shield();
    thrum_lock_acquire(&pool->lock);
    pool->closed = true;
    pool->cancel = pool->cancel || cancel;
    thrum_condition_notify_all(&pool->room);
    thrum__processes_poke(pool);
    thrum_lock_release(&pool->lock);
    thrum__processes_unshield(before);
}

static void end(void *state) {
    thrum__processes *pool = state;
    int before = thrum__processes_shield();
    (void)thrum_thread_join(pool->thread, NULL);
    free_pool(pool);
    thrum__processes_unshield(before);
}

/* The thread holds the pump, and with that the pool, until the other is known. Its workers stay: it
 * does not end before the program. */
static void desert(void *state) {
    thrum__processes *pool = state;
    own = NULL;
    thrum_thread_free(pool->thread);
    pool->thread = NULL;
    int rc = start_thread(pool);
    if (rc != 0)
        thrum__remote_complain("pool \"%s\" has no thread after exit() in its own: %s", pool->name,
                               thrum_strerror(rc));
    thrum__pump_drop(pool); /* the pool may be gone from here */
}

static void fill_stats(void *state, thrum_executor_stats *stats) {
    thrum__processes *pool = state;
    thrum_lock_acquire(&pool->lock);
    stats->submitted = pool->submitted;
    stats->queued = pool->waiting;
    thrum_lock_release(&pool->lock);
    stats->completed = __atomic_load_n(&pool->completed, __ATOMIC_RELAXED);
    stats->workers = (int)__atomic_load_n(&pool->n_workers, __ATOMIC_RELAXED);
    stats->idle = (int)__atomic_load_n(&pool->n_idle, __ATOMIC_RELAXED);
}

static const thrum_backend backend = {
    open_pool,  submit,  cancelled,          close_pool,         end,
    fill_stats, reserve, release, thrum__pump_attend, thrum__pump_look,
    thrum__pump_leave, desert, withdrawn};

const thrum_backend *thrum_processes_backend(void) { return &backend; }

void thrum__processes_own(const thrum__processes *pool) { own = pool; }

bool thrum__processes_is_own(const thrum__processes *pool) { return own == pool; }
