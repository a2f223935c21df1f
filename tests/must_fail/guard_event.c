/* SPDX-License-Identifier: MIT */
/* expect: _Generic.* selector|any generic association */
#include <thrum.h>

void hold(void);

#ifdef GOOD
void hold(void) {
    static thrum_rlock object;
    THRUM_GUARD(&object);
}
#else
void hold(void) {
    static thrum_event object;
    THRUM_GUARD(&object);
}
#endif
