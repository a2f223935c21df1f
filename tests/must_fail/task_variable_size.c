/* SPDX-License-Identifier: MIT */
/* expect: variabl[ey] (modified|length array)|not constant|constant expression|undeclared */
/* flags: -std=c11 */
#include <thrum.h>

extern int n;

#ifdef GOOD
typedef struct row { double x[4]; } row;
#else
typedef struct row { double x[n]; } row;
#endif

THRUM_TASK(double, first, (row, r)) { return r.x[0]; }
