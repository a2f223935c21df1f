/* SPDX-License-Identifier: MIT */
/* What the files of the extension share. The state of an object is plain fields, guarded by the
 * GIL, or by the object's critical section where there is no GIL; who has to wait does so on the
 * thrum core, without either. A function whose name ends in _guarded is called under that guard. */
#ifndef THRUM_PYTHON_TOOLBOX_H
#define THRUM_PYTHON_TOOLBOX_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <structmember.h>
#include <thrum/event.h>
#include <thrum/time.h>

#if PY_VERSION_HEX < 0x030D0000
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#endif

/* What others look at without the guard is read by PEEK() there, and written by POKE(), under the
 * guard. */
#ifdef Py_GIL_DISABLED
#define COUNT(n) (void)__atomic_fetch_add(&(n), 1, __ATOMIC_RELAXED)
#define PEEK(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define POKE(place, value) __atomic_store_n(&(place), value, __ATOMIC_RELAXED)
#define HAS_WEAKREFS(list) true /* the list may be looked at by who clears a reference */
#else
#define COUNT(n) (void)++(n)
#define PEEK(place) (place)
#define POKE(place, value) ((void)((place) = (value)))
#define HAS_WEAKREFS(list) ((list) != NULL)
#endif

/* A method without arguments, or with (args, nargs, kwnames), around its guarded half. */
#define GUARDED(name, type)                                                                        \
    static PyObject *name(PyObject *self, PyObject *unused) {                                      \
        PyObject *result;                                                                          \
        (void)unused;                                                                              \
        Py_BEGIN_CRITICAL_SECTION(self);                                                           \
        result = name##_guarded((type *)self);                                                     \
        Py_END_CRITICAL_SECTION();                                                                 \
        return result;                                                                             \
    }
#define GUARDED_ARGS(name, type)                                                                   \
    static PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t nargs,                 \
                          PyObject *kwnames) {                                                     \
        PyObject *result;                                                                          \
        Py_BEGIN_CRITICAL_SECTION(self);                                                           \
        result = name##_guarded((type *)self, args, nargs, kwnames);                               \
        Py_END_CRITICAL_SECTION();                                                                 \
        return result;                                                                             \
    }

#define METHOD(function, flags, doc) (PyCFunction)(void (*)(void))(function), flags, PyDoc_STR(doc)
#define KEYWORDS (METH_FASTCALL | METH_KEYWORDS)

typedef struct waitlist waitlist;

/* One thread's wait. On the heap: a daemon thread that dies while it waits for the GIL, because the
 * interpreter ends, leaves its waiter behind. */
struct waiter {
    struct waiter *next, *previous;
    waitlist *list;      /* the queue it stands in; NULL once it was woken */
    thrum_event event;   /* set when it is woken */
    unsigned generation; /* that of the process which queued it */
    bool moved;          /* notified: it waits for the lock only, without a time limit */
    bool woken;          /* wake_first() has met it since it was queued */
    bool looks;          /* it looks for a token whenever it is woken, and can stand aside
                          * meanwhile */
    int outcome;         /* what the waker has to say */
};

/* Waiters, first come, first served. All fields are under the owner's guard. */
struct waitlist {
    struct waiter *first, *last;
    Py_ssize_t length;
    Py_ssize_t pending;  /* waiters that were woken for a token and have not looked for it yet */
    unsigned generation; /* of the process; waiters of another one are gone */
    bool over;           /* nobody waits here any more, token or not */
};

typedef enum { FAILED = -1, WOKEN, TIMED_OUT } outcome;

/* Returns a waiter, or NULL with MemoryError set. To be freed with waiter_free(). */
struct waiter *waiter_new(void);
void waiter_free(struct waiter *waiter);

/* How many forks lie behind this process; those since the first waiter are counted. */
unsigned process_generation(void);

/* Returns how many wait, and forgets those that a fork has left behind. */
Py_ssize_t waitlist_length(waitlist *list);

/* Forgets all waiters. */
void waitlist_clear(waitlist *list);

/* Puts `waiter` at the end of `list`, or in front. */
void enqueue(waitlist *list, struct waiter *waiter, bool in_front);

/* Takes the first waiter off `list`: NULL if there is none. */
struct waiter *dequeue_first(waitlist *list);

/* Ends the wait of the first in `list`; false if there is none. */
bool wake_first(waitlist *list);

/* Wakes so many waiters that each of `tokens` has one who comes for it. Those who run may take a
 * token before them: the woken look again. */
void wake_for(waitlist *list, Py_ssize_t tokens);

/* Blocks, without the GIL, until `waiter` is woken or `deadline` has come; then it stands in no
 * queue. With `signals`, Python's signal handlers run meanwhile, and FAILED means that one
 * raised. */
outcome park(struct waiter *waiter, thrum_deadline deadline, bool signals);

/* Blocks, without the GIL, until `event` is set (WOKEN) or `deadline` has come; signal handlers run
 * meanwhile, and FAILED means that one raised. */
outcome park_on(thrum_event *event, thrum_deadline deadline);

/* Ends the wait of all, and every later one, without tokens; undone by waitlist_clear(). */
void end_waits(waitlist *list);

/* Takes `waiter` out of its queue, if it stands in one. */
void leave(struct waiter *waiter);

/* Waits until *tokens > 0 or the waits are over (WOKEN), a signal handler raises or `deadline` has
 * come. Requires *tokens to be under the same guard as `list`. */
outcome wait_for_token(waitlist *list, const Py_ssize_t *tokens, thrum_deadline deadline,
                       bool signals);

/* The same with a waiter that is there already, and which stands in no queue. */
outcome wait_again(struct waiter *waiter, waitlist *list, const Py_ssize_t *tokens,
                   thrum_deadline deadline, bool signals, bool in_front);

/* What a wait with time limit `timeout` (None: none) means. Returns 0, or -1 with an exception. */
int deadline_of(PyObject *timeout, thrum_deadline *deadline);

/* The same where the standard library asks first whether it is more than 0: NaN, and a negative int
 * that is too large for a float, have passed. */
int deadline_if_positive(PyObject *timeout, thrum_deadline *deadline);

/* The seconds until then as a new float, or None: a timeout for a method in Python. */
PyObject *seconds_until(thrum_deadline deadline);

/* What a function takes, for the texts of TypeErrors as the standard library has them. */
typedef struct signature {
    const char *function;                 /* its __qualname__: a method has a '.' in it */
    Py_ssize_t required, positional, all; /* how many of the names; by position, `self` not
                                           * counted */
    const char *names[7];
} signature;

/* Arguments by position and keyword into out[], which holds the defaults: NULL for those that are
 * required. Returns 0, or -1 with TypeError. */
int parse_args(const signature *how, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
               PyObject **out);

/* The same for tp_init. */
int parse_init(const signature *how, PyObject *args, PyObject *kwargs, PyObject **out);

/* The same for a function that takes any number by position: the first `nargs` are in out[].
 * `values` are those of `kwnames`. */
int parse_keywords(const signature *how, PyObject *const *values, Py_ssize_t nargs,
                   PyObject *kwnames, PyObject **out);

/* How many a number says, which may be a float: rounded up, and at most half of what a Py_ssize_t
 * holds. Returns 0, or -1 with an exception. */
int count_of(PyObject *number, Py_ssize_t *count);

/* Whether no subclass, of which `dealloc` is not, and no attribute of the object's own can stand in
 * the place of a method of ours. Where not, a method that the standard library has written with
 * another one has to call that by its name. */
static inline bool is_plain(PyObject *object, destructor dealloc, PyObject *const *dict) {
    return Py_TYPE(object)->tp_dealloc == dealloc && PEEK(*dict) == NULL;
}

/* "<module.Class at 0x..." of `self`, as a new string. */
PyObject *repr_head(PyObject *self);

enum kind {
    CONDITION,
    SEMAPHORE,
    BOUNDED_SEMAPHORE,
    EVENT,
    BARRIER,
    QUEUE,
    LIFO_QUEUE,
    PRIORITY_QUEUE,
    FUTURE,
    THREAD_POOL_EXECUTOR,
    KINDS
};

/* One for each interpreter. Begins with pointers to objects and nothing else, up to `made`. */
typedef struct toolbox {
    PyTypeObject *types[KINDS];
    PyTypeObject *condition_lock;
    PyTypeObject *native_task, *native_job;
    PyTypeObject *thread_lock; /* CPython's own */
    PyObject *thread_module;   /* _thread */
    PyObject *broken_barrier;  /* threading.BrokenBarrierError */
    PyObject *empty, *full;    /* queue.Empty, queue.Full */
    PyObject *shut_down;       /* queue.ShutDown, our own where Python has none */
    PyObject *deque, *heappush, *heappop;
    /* These are NULL until load_futures(). */
    PyObject *threading_module, *futures_base; /* concurrent.futures._base */
    PyObject *cancelled_error, *invalid_state_error;
    PyObject *std_wait, *std_as_completed; /* the standard library's own */
    PyObject *done_and_not_done;
    PyTypeObject *future_layout, *completed_type;
    PyObject *futures_thread;  /* concurrent.futures.thread */
    PyObject *threads_queues; /* its _threads_queues, or our own: whom the end of the interpreter
                               * waits for */
    PyTypeObject *executor_layout, *pool_type, *results_type, *unordered_type, *sink_type,
        *queue_view_type;
    PyObject *open_queue; /* the module that has the queues' Python half; NULL until needed */
    PyObject *str_acquire, *str_release, *str_locked, *str_enter, *str_exit;
    PyObject *str_run;
    PyObject *str_release_save, *str_acquire_restore, *str_is_owned, *str_at_fork_reinit;
    Py_ssize_t made[KINDS]; /* objects, for statistics */
    bool report_unread;     /* whether futures tell what nobody has read */
    bool exiting;           /* no pool takes anything more: the interpreter ends */
} toolbox;

/* The state of the module that `type` belongs to. */
toolbox *toolbox_of(PyTypeObject *type);

/* A new object of `type` with zeroed state, counted as `kind`. */
PyObject *make(PyTypeObject *type, toolbox *state, enum kind kind);

/* Each adds its types to the module. Returns 0, or -1 with an exception. */
int add_barrier(PyObject *module, toolbox *state);
int add_condition(PyObject *module, toolbox *state);
int add_event(PyObject *module, toolbox *state);
int add_executor(PyObject *module, toolbox *state);
int add_future(PyObject *module, toolbox *state);
int add_native_load(PyObject *module, toolbox *state);
int add_native_pool(PyObject *module, toolbox *state);
int add_queue(PyObject *module, toolbox *state);
int add_semaphore(PyObject *module, toolbox *state);

/* Makes a type of the module and adds it under its name (unless `hidden`). */
PyTypeObject *add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base, bool hidden);

/* The attribute, or NULL: without an exception if it is not there. */
PyObject *optional_attribute(PyObject *object, PyObject *name);

/* A new Condition around a new threading.Lock. */
PyObject *condition_around_lock(toolbox *state);

#endif
