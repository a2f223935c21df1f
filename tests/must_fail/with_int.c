/* SPDX-License-Identifier: MIT */
/* expect: _Generic.* selector|any generic association */
#include <thrum.h>

void hold(void);

#ifdef GOOD
void hold(void) {
    static thrum_lock object;
    thrum_with(&object) {}
}
#else
void hold(void) {
    static int object;
    thrum_with(&object) {}
}
#endif
