/* SPDX-License-Identifier: MIT */
/* Thread-local data, Python's threading.local: one name, a value for each thread.
 *
 *     static thrum_local connection = THRUM_LOCAL_INIT(close_connection);
 *     struct connection *c = thrum_local_get(&connection);        NULL in a thread that set none
 *     rc = thrum_local_set(&connection, c = open_connection());
 *
 * When a thread ends, its values are destroyed before those that join it go on. Those of the main
 * thread are destroyed when it ends by pthread_exit, not at exit (as with pthread keys). In the
 * child of a fork the forking thread keeps its values; those of the other threads are left alone,
 * not destroyed. A destructor must return: one that ends the thread leaves other values as they
 * are. Zero is a valid local without a destructor. */
#ifndef THRUM_LOCAL_H
#define THRUM_LOCAL_H

#include <stdint.h>
#include <thrum/config.h>

THRUM__BEGIN

/* The fields are of nobody's program.
 *
 * slot: 0    has none yet    put back by thrum_local_clear()
 *       n    each thread keeps its value at place n - 1 of its table; set by the first
 *            thrum_local_set() */
typedef struct thrum_local {
    uint32_t thrum__slot;
    void (*thrum__destroy)(void *value); /* read-only */
} thrum_local;

/* A local whose values are given to destroy(value) when their thread ends; NULL for none. */
#define THRUM_LOCAL_INIT(destroy) {0, (destroy)}

/* Returns the calling thread's value, NULL if it set none. Cannot fail; any thread. */
THRUM_API void *thrum_local_get(const thrum_local *local);

/* Sets the calling thread's value. The one before is not destroyed; NULL means none. Returns 0 or
 * -ENOMEM; then nothing has changed. May be called by a destructor: values that appear while the
 * thread's values are destroyed are destroyed as well (four rounds at most, as with pthread keys).
 * Any thread. */
THRUM_API int thrum_local_set(thrum_local *local, void *value);

/* Destroys the values of all threads (calls destroy for each, here), and gives back what `local`
 * uses; afterwards it is as new. For one that goes away before the program does. No other call with
 * the same local may overlap, and no thread may use its value any more; one that is ending at this
 * moment may still be in destroy. Any thread. */
THRUM_API void thrum_local_clear(thrum_local *local);

THRUM__END

#endif
