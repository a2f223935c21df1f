/* SPDX-License-Identifier: MIT */
/* Fork-join: a task spawns others, goes on, and takes their results; idle workers take what was
 * spawned first.
 *
 *     THRUM_FORK_JOIN(int, fib, w, (int, n)) {
 *         if (n < 2)
 *             return n;
 *         fib_spawn(w, n - 1);
 *         int b = fib(w, n - 2);
 *         int a = fib_sync(w);
 *         return a + b;
 *     }
 *
 *     rc = fib_run(executor, &result, 35);
 *
 * defines `static int fib(thrum_worker *w, int n)`, whose body follows, and beside it, for 0 to 8
 * parameters,
 *
 *     void fib_spawn(thrum_worker *w, int n)     allows another worker to run it
 *     int fib_sync(thrum_worker *w)              the result of the last spawn not synced yet
 *     int fib_run(thrum_executor *executor, int *result, int n)
 *
 * A spawn neither allocates nor synchronises, and what nobody took is a plain call: about 2 ns.
 * Spawn and sync pair like brackets: a task syncs what it spawned, the last first, before it
 * returns; anything else is misuse. `w` belongs to the running call: pass it on in calls, never
 * keep it. Parameters, and the result, take at most THRUM_FORK_JOIN_BYTES; wrong arguments do not
 * compile, as in thrum/task.h.
 *
 * fib_run(): as thrum_fork_join(), with the result in `*result`, which may be NULL. */
#ifndef THRUM_FORK_JOIN_H
#define THRUM_FORK_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/executor.h>
#include <thrum/task.h>

THRUM__BEGIN

/* How large the parameters together, or the result, of a spawned function may be. */
#define THRUM_FORK_JOIN_BYTES 48

typedef struct thrum_worker thrum_worker;

/* One spawn. `state` is the library's; 0 until another worker takes it. */
typedef struct thrum__call {
    void (*run)(thrum_worker *worker, struct thrum__call *frame);
    uintptr_t state;
    union {
        char bytes[THRUM_FORK_JOIN_BYTES];
        void *pointer;
        long long integer;
        double number;
    } data __attribute__((aligned(16)));
} __attribute__((aligned(64))) thrum__call;

/* The data of a call spawned by thrum_spawn(). */
typedef struct thrum__call_args {
    void *(*fn)(thrum_worker *w, void *arg);
    void *arg;
} __attribute__((may_alias)) thrum__call_args;

/* Who runs a fork-join: the owner of a stack of frames. `limit` and `guard` are on a line of their
 * own; who wants work makes limit the lowest and guard the highest address. */
struct thrum_worker {
    thrum__call *thrum__head; /* the next free one; the owner's */
    char thrum__pad[64 - sizeof(void *)];
    uintptr_t thrum__limit; /* a spawn at or above is slow; relaxed */
    uintptr_t thrum__guard; /* a sync below is slow; relaxed */
} __attribute__((aligned(64)));

/* Runs fn(w, arg) with the result in `*result` (which may be NULL): here, with the help of idle
 * workers of `executor`, of which the caller takes the place of one. Returns when it, and all it
 * spawned, has ended: 0, or the code of the first thrum_raise() in any of it (which then fails the
 * caller's task or thread too), -ECANCELED (a thread ended in a spawned call), -ESHUTDOWN, -EPIPE
 * (broken, or made before a fork), -EINVAL (fn is NULL) or -ENOMEM; `*result` is set with 0 only.
 * Spawned calls run as parts of the caller's task: for thrum_raise(), and thrum_cancel_requested().
 * A worker that syncs may run other calls meanwhile: hold no lock across a sync.
 *
 * If the pool has an initializer, and the caller is none of its workers, the whole runs as a task
 * of the pool. Then it may also return what thrum_submit() does (-EAGAIN, -ENOMEM), having run
 * nothing; the code of an initializer that failed; -ECANCELED of a shutdown that cancels; and
 * -EDEADLK or -EAGAIN when the caller must not wait for it (see thrum_future_result()), after its
 * end.
 *
 * A thread may end (pthread_exit(), cancellation) in a call only if no spawn on its stack is left
 * to be synced: its arguments would be gone under others that run it, which is misuse. fork() in a
 * call: in the child the caller goes on alone, and gets -ECANCELED if others had taken a call that
 * was not done. A worker ends its call there, and takes no more. Any thread, tasks too. */
THRUM_API int thrum_fork_join(thrum_executor *executor, void *(*fn)(thrum_worker *w, void *arg),
                              void *arg, void **result);

/* Allows another worker to run fn(w, arg), until thrum_sync(). When memory for very many spawns
 * runs out, the fork-join fails with -ENOMEM. Only in a call that got `w`. */
THRUM_API void thrum_spawn(thrum_worker *w, void *(*fn)(thrum_worker *w, void *arg), void *arg);

/* Runs the last spawn that has not been synced, or waits for who took it; meanwhile runs what that
 * one spawned. Returns what it returned. A sync without a spawn is misuse. */
THRUM_API void *thrum_sync(thrum_worker *w);

/* What the macro stands on. */
THRUM_API void thrum__call_run(thrum_worker *w, thrum__call *frame);
THRUM_API thrum__call *thrum__spawn_slow(thrum_worker *w);
THRUM_API bool thrum__sync_slow(thrum_worker *w, void (*run)(thrum_worker *, thrum__call *),
                                thrum__call **frame);
THRUM_API int thrum__fork_join_run(thrum_executor *executor, thrum__call *root);

THRUM__END

#define THRUM__INLINE_FORK_JOIN
#include <thrum/inline.h>

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L

/* Makes `name` of a function whose calls can be spawned:
 * THRUM_FORK_JOIN(result, name, worker, (type, parameter), ...) { body } */
#define THRUM_FORK_JOIN(result, name, ...)                                                         \
    THRUM__FORK_JOIN(result, THRUM__COUNT(__VA_ARGS__), THRUM__IF_NONE(void, __VA_ARGS__), name,   \
                     __VA_ARGS__, )

#define THRUM__FORK_JOIN(result, n, none, task, worker, ...)                                       \
    THRUM__STRICT                                                                                  \
    THRUM__ARGS(task, n, none, __VA_ARGS__)                                                        \
    _Static_assert(sizeof(struct task##__args) <= THRUM_FORK_JOIN_BYTES &&                         \
                       _Alignof(struct task##__args) <= 16,                                        \
                   "the parameters of " #task " are too large to be spawned: pass a pointer");     \
    _Static_assert(THRUM__IF_VOID(result)((1), (sizeof(result) <= THRUM_FORK_JOIN_BYTES)),         \
                   "the result of " #task " is too large to be spawned: pass a pointer");          \
    static result task(                                                                            \
        thrum_worker *worker THRUM__REPEAT(n)(THRUM__NEXT_PARAMETER, , __VA_ARGS__));              \
    static void task##__run(thrum_worker *thrum__w, thrum__call *thrum__f) {                       \
        struct task##__args thrum__v, *thrum__a = &thrum__v;                                       \
        thrum__v = *(struct task##__args *)(void *)&thrum__f->data;                                \
        (void)thrum__a;                                                                            \
        THRUM__IF_VOID(result)((), (result thrum__value =))                                        \
        task(thrum__w THRUM__REPEAT(n)(THRUM__NEXT_FROM, thrum__a, __VA_ARGS__));                  \
        THRUM__IF_VOID(result)((), (                                                               \
            __builtin_memcpy(&thrum__f->data, &thrum__value, sizeof(result));))                    \
    }                                                                                              \
    __attribute__((unused)) static inline void task##_spawn(                                       \
        thrum_worker *thrum__w THRUM__REPEAT(n)(THRUM__NEXT_PARAMETER, , __VA_ARGS__)) {           \
        thrum__call *thrum__f = thrum__call_push(thrum__w);                                        \
        thrum__f->run = task##__run;                                                               \
        *(struct task##__args *)(void *)&thrum__f->data =                                          \
            *THRUM__PACK(n, none, task, __VA_ARGS__);                                              \
    }                                                                                              \
    __attribute__((unused)) static inline result task##_sync(thrum_worker *thrum__w) {             \
        thrum__call *thrum__f;                                                                     \
        if (THRUM__UNLIKELY(!thrum__call_pop(thrum__w, task##__run, &thrum__f))) {                 \
            THRUM__IF_VOID(result)((return;), (                                                    \
                result thrum__value;                                                               \
                __builtin_memcpy(&thrum__value, &thrum__f->data, sizeof(result));                  \
                return thrum__value;))                                                             \
        }                                                                                          \
        struct task##__args *thrum__a = (struct task##__args *)(void *)&thrum__f->data;            \
        (void)thrum__a;                                                                            \
        THRUM__IF_VOID(result)((), (return))                                                       \
        task(thrum__w THRUM__REPEAT(n)(THRUM__NEXT_FROM, thrum__a, __VA_ARGS__));                  \
    }                                                                                              \
    __attribute__((unused)) static inline int task##_run(                                          \
        thrum_executor *thrum__executor THRUM__IF_VOID(result)((), (, result *thrum__value))       \
        THRUM__REPEAT(n)(THRUM__NEXT_PARAMETER, , __VA_ARGS__)) {                                  \
        thrum__call thrum__f = {.run = task##__run};                                               \
        *(struct task##__args *)(void *)&thrum__f.data = *THRUM__PACK(n, none, task, __VA_ARGS__); \
        int thrum__rc = thrum__fork_join_run(thrum__executor, &thrum__f);                          \
        THRUM__IF_VOID(result)((), (                                                               \
            if (thrum__rc == 0 && thrum__value)                                                    \
                __builtin_memcpy(thrum__value, &thrum__f.data, sizeof(result));))                  \
        return thrum__rc;                                                                          \
    }                                                                                              \
    static result task(thrum_worker *worker THRUM__REPEAT(n)(THRUM__NEXT_PARAMETER, , __VA_ARGS__))

#endif

#endif
