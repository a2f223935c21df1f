/* SPDX-License-Identifier: MIT */
/* expect: too large to be spawned: pass a pointer */
/* flags: -std=c11 */
#include <thrum.h>

#ifdef GOOD
enum { SIZE = 6 };
#else
enum { SIZE = 7 };
#endif

typedef struct row {
    double x[SIZE];
} row;

int run(thrum_executor *executor, row r);

THRUM_FORK_JOIN(double, first, w, (row, r)) {
    (void)w;
    return r.x[0];
}

int run(thrum_executor *executor, row r) { return first_run(executor, NULL, r); }
