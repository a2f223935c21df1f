/* SPDX-License-Identifier: MIT */
/* expect: too (few|many) arguments */
/* flags: -std=c11 */
#include <thrum.h>

#ifdef GOOD
#define BELOW fib_spawn(w, n - 1)
#else
#define BELOW fib_spawn(w, n - 1, n - 2)
#endif

int run(thrum_executor *executor);

THRUM_FORK_JOIN(int, fib, w, (int, n)) {
    if (n < 2)
        return n;
    BELOW;
    int b = fib(w, n - 2);
    return b + fib_sync(w);
}

int run(thrum_executor *executor) { return fib_run(executor, NULL, 5); }
