/* SPDX-License-Identifier: MIT */
/* The harness: clocks, pinning, peers, rounds, and one JSON line for every subject of a row. */
#ifndef BENCH_H
#define BENCH_H

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_THREADS = 8, BENCH_PEERS = 48, BENCH_ROUNDS = 31, BENCH_IDLE = 100, BENCH_BURST = 64 };

/* Keeps the compiler from moving or merging work across it. */
#define BENCH_BARRIER() __asm__ volatile("" ::: "memory")

static inline uint64_t bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#if defined(__x86_64__)
static inline uint64_t bench_ticks(void) { return __builtin_ia32_rdtsc(); }
static inline void bench_pause(void) { __builtin_ia32_pause(); }
#else
static inline uint64_t bench_ticks(void) { return bench_now(); }
static inline void bench_pause(void) { BENCH_BARRIER(); }
#endif

/* Work that costs `n` dependent multiplications and touches no memory. */
static inline void bench_spin(unsigned n) {
    unsigned long x = n;
    for (unsigned i = 0; i < n; ++i) {
        x *= 3;
        __asm__ volatile("" : "+r"(x));
    }
}

/* Returns a number from 1000 to 2000, another each time. */
static inline double bench_due(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return 1000 + *state / 4294967.296;
}

static inline void bench_busy(uint64_t ns) {
    uint64_t end = bench_now() + ns;
    while (bench_now() < end)
        bench_pause();
}

/* Threads that work until they are stopped. The first line is only read while they run. */
struct contend {
    bool stop; /* atomic */
    unsigned work, outside; /* bench_spin() in a lock's section, and outside it */
    uint64_t ops[BENCH_THREADS] __attribute__((aligned(64))); /* written when a thread ends */
    uint64_t longest[BENCH_THREADS]; /* ticks; likewise */
};

/* Two threads that hand a turn back and forth. The first line is only read while they run. */
struct ping {
    long n, warm;
    uint64_t pause; /* ns of busy waiting before each hand-off; 0: none, and no clock is read */
    unsigned turn __attribute__((aligned(64))); /* under the peer's lock, as what follows */
    uint64_t sent, sum;
    uint64_t begin, end; /* of side 0 */
};

/* Side `side` has the turn. */
static inline void bench_received(struct ping *p, int side, long i) {
    if (side == 0 && i == p->warm) {
        p->begin = bench_now();
        p->sum = 0;
    }
    if (p->pause == 0)
        return;
    uint64_t now = bench_now();
    if (p->sent != 0 && i != p->warm)
        p->sum += now - p->sent;
    bench_busy(p->pause);
    p->sent = bench_now();
}

/* Side `side` comes to phase `i`. With a pause the sides are late in turn. */
static inline void bench_arrive(struct ping *p, int side, long i) {
    if (side == 0 && i == p->warm)
        p->begin = bench_now();
    if (p->pause == 0 || i % 2 != side)
        return;
    bench_busy(p->pause);
    p->sent = bench_now();
}

/* Side `side` leaves phase `i`; what counts is how long the late one's arrival takes to be seen. */
static inline void bench_passed(struct ping *p, int side, long i) {
    if (p->pause != 0 && i % 2 != side && i >= p->warm)
        p->sum += bench_now() - p->sent;
}

/* A pool of workers. All but `with` is called in the body of that, by its caller or, where the
 * members say so, by a task. */
struct bench_pool {
    /* Calls body(arg) beside `workers` workers; where the waiting thread always works too, it is
     * one of them. `limit`, if not 0: who submits runs the task itself when so many wait. */
    void (*with)(int workers, size_t limit, void (*body)(void *), void *arg);
    /* Submits fn(arg) n times, with a future each where the library has them, up to BENCH_TASKS. */
    void (*submit)(long n, void *(*fn)(void *), void *arg);
    void (*wait)(void); /* for all that was submitted */
    /* For one: does not run it itself. NULL: as wait(). */
    void (*wait_worker)(void);
    /* Submits and waits, in a task. */
    void (*inside)(long n, void *(*fn)(void *), void *arg);
    void (*map)(int (*fn)(const void *, void *), const long *in, long *out, long n);
    /* Calls fn for 0 .. n - 1, which a generator gives, BENCH_AHEAD at once at most. Returns the
     * sum of the results, which are read in order. */
    long (*stream)(int (*fn)(const void *, void *), long n);
    bool helps;     /* wait() runs tasks */
    bool throttles; /* does not queue all that it is given */
    bool gathers;   /* submit() waits too */
    bool fixed;     /* has two workers, always */
    bool nested;    /* has submit() in a task */
    /* Returns fib(n), without cut-off, `typed` or by a function and void *; -1: there is no such
     * API. fib_most: the largest n that takes no longer than others. */
    long (*fib)(int n, bool typed);
    int fib_most;
    /* In place of all those, for who runs in a process of its own: Mtasks/s of n empty ones. */
    double (*rate)(long n);
};
enum { BENCH_TASKS = 1000000, BENCH_AHEAD = 64 };

/* What a library has between processes, for process_shared.c; its objects stand in memory that is
 * zeroed, shared, and aligned to 64 bytes. */
struct bench_shared {
    double (*lock_pair)(long n);
    double (*semaphore_pair)(long n);
    void (*lock_init)(void *lock); /* of at most 256 bytes */
    void (*lock_acquire)(void *lock);
    void (*lock_release)(void *lock);
    size_t (*queue_size)(size_t capacity);
    void (*queue_init)(void *queue, size_t capacity);
    void (*queue_put)(void *queue, const void *item);
    bool (*queue_get)(void *queue, void *item); /* false: closed, and empty */
    void (*queue_close)(void *queue);
    /* In place of all those, for who runs in processes of its own: Mops/s. */
    double (*queue_rate)(size_t capacity, int producers, int consumers);
};
enum { BENCH_ITEM = 64 };

/* What process_bytes.c measures: ms for an argument of BENCH_LARGE bytes. */
struct bench_bytes {
    double (*argument)(void);
    double (*in_shared_memory)(void);
};
enum { BENCH_LARGE = 64 << 20 };
/* A pool of processes, for process_pool.c. */
struct bench_processes {
    /* Calls body(arg) beside `workers` processes; the others are called in there. */
    void (*with)(int workers, void (*body)(void *), void *arg);
    void (*call)(void);   /* an empty task, there and back */
    void (*many)(long n); /* n of them at once, up to 1e5. NULL: it has none */
    double (*cpu)(void);  /* seconds that this process and the first worker have used */
    /* In place of all those, for who runs in processes of its own: "hot" and "sleep": us; "many":
     * Mtasks/s. */
    double (*asked)(const char *what);
};

/* What a library offers, in loops compiled with it. NULL (0): it does not have it. The functions
 * that return double return ns for one of their `n` operations. */
struct peer {
    const char *name;
    int rank;      /* order in the table */
    bool baseline; /* what a C program uses without a library */
    bool floor;    /* raw system calls: what the machine allows */
    size_t lock_size, rlock_size, condition_size, event_size;
    double (*lock_pair)(long n);
    double (*rlock_outer)(long n);
    double (*rlock_nested)(long n);
    double (*notify)(long n);
    double (*event_pair)(long n);
    void (*contend)(struct contend *c, int index);
    void (*contend_stamped)(struct contend *c, int index);
    void (*condition_ping)(struct ping *p, int side);
    void (*event_ping)(struct ping *p, int side);
    void (*event_set)(void);
    void (*event_wait_clear)(void);
    double (*start_join)(long n);
    double (*start_burst)(long n); /* BENCH_BURST at once */
    void (*idle_begin)(void);
    void (*idle_wait)(int index);
    void (*idle_end)(void);
    double (*semaphore_pair)(long n);
    void (*semaphore_ping)(struct ping *p, int side);
    void (*barrier_ping)(struct ping *p, int side);
    double (*local_get)(long n);
    /* Makes queues for the functions below, until queue_end(). `capacity` 0: without bound. Returns
     * whether there is such a queue for so many threads. */
    bool (*queue_begin)(size_t capacity, int producers, int consumers);
    void (*queue_end)(void);
    double (*queue_pair)(long n);
    void (*queue_ping)(struct ping *p, int side);
    void (*queue_put)(struct contend *c, int index); /* until c->stop, then one end mark */
    void (*queue_get)(struct contend *c, int index); /* until an end mark; counts in c->ops */
    /* In place of all those, for who runs in a process of its own: Mops/s in `ms`; ns. */
    double (*queue_rate)(size_t capacity, int producers, int consumers, int ms);
    bool queue_unbounded; /* has no other */
    /* Logs lines to `path` until log_end(). */
    bool (*log_begin)(const char *path);
    void (*log_lines)(struct contend *c, int index);
    void (*log_end)(void);
    /* Starts and cancels n timers beside `pending` others, which it makes first and drops after. */
    double (*timer_pair)(long n, long pending);
    const struct bench_pool *pool;
    const struct bench_shared *shared;
    const struct bench_bytes *bytes;
    const struct bench_processes *processes;
};

/* Called by constructors. */
void bench_register(const struct peer *peer);
extern const struct peer *bench_peers[BENCH_PEERS];
extern int bench_n_peers;

/* CPUs to measure on: the first two of those allowed. bench_cpu[1] is -1 when there is one only. */
extern int bench_cpu[2];
void bench_pin(int cpu);
/* Lets the calling thread run on both CPUs. */
void bench_pin_both(void);

/* Returns the number that the shell's `command` prints first; NAN when it prints none. */
double bench_printed(const char *command);

/* Returns whether the command line asks for `row`. */
bool bench_wanted(const char *row);
/* Returns whether there are two CPUs; says on stderr that `row` is left out when not. */
bool bench_two_cores(const char *row);
/* Returns how many rounds to run: `rounds`, or what the command line says. */
int bench_rounds(int rounds);

/* Counts the CPU time of process `pid`, started by the benchmark, as its own. */
void bench_own_process(pid_t pid);

/* Raises a limit (RLIMIT_...) to `most`, or as far as it may be raised. */
void bench_raise_limit(int resource, unsigned long most);

/* Says on stderr, once, when `peer` got only `made` of `wanted` things. */
void bench_fewer(const char *peer, long made, long wanted);

/* Values of one row, a series per peer; a peer of which no value came in is left out. */
struct series {
    double value[BENCH_PEERS][BENCH_ROUNDS];
    int n[BENCH_PEERS];
    double share[BENCH_PEERS]; /* of the tasks run by workers, summed up; only if `shared` */
    bool shared;
};
void bench_add(struct series *s, int peer, double value);
/* Says on stderr which row is being measured; the share of the CPUs that other processes use is
 * counted from here to bench_emit(). */
void bench_begin(const char *row);
/* Prints the medians. `against_floor`: the baseline is the floor, not the usual C choice. */
void bench_emit(const struct series *s, const char *row, const char *unit, bool against_floor);

/* Runs `measure` (NAN: the peer does not have it) for each peer in turn, `rounds` times, and emits
 * the row. */
void bench_row(const char *row, const char *unit, int rounds,
               double (*measure)(const struct peer *peer));

/* Runs `body` on this thread (side 0) and another, and no third one: a library may count how many
 * threads are awake before it spins.
 * Returns ns per round trip; with a pause, of its two hand-offs. */
double bench_ping(void (*body)(struct ping *, int), int cpu0, int cpu1, long n, uint64_t pause);

/* Runs body(c, index) on `n` threads, this one among them, thread i on CPU i % 2, and sets c->stop
 * after `ms`. Returns the ns until then. */
uint64_t bench_window(struct contend *c, int n, int ms, void (*body)(struct contend *c, int index));

/* The rows, one file per concept. */
void bench_lock(void);
void bench_contended(void);
void bench_rlock(void);
void bench_condition(void);
void bench_event(void);
void bench_thread(void);
void bench_wait(void);
void bench_semaphore(void);
void bench_barrier(void);
void bench_local(void);
void bench_queue(void);
void bench_timer(void);
void bench_log(void);
void bench_executor(void);
void bench_stream(void);
void bench_fork_join(void);
void bench_process_shared(void);
void bench_process_bytes(void);
void bench_process_pool(void);

#ifdef __cplusplus
}
#endif

#endif
