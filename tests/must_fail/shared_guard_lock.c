/* SPDX-License-Identifier: MIT */
/* expect: _Generic.* selector|any generic association */
#include <thrum.h>

int hold(void);

#ifdef GOOD
int hold(void) {
    static thrum_shared_lock object;
    THRUM_GUARD_SHARED(&object, rc);
    return rc;
}
#else
int hold(void) {
    static thrum_lock object;
    THRUM_GUARD_SHARED(&object, rc);
    return rc;
}
#endif
