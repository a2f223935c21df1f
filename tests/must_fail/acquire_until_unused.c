/* SPDX-License-Identifier: MIT */
/* expect: unused-result */
/* flags: -Werror=unused-result */
#include <thrum.h>

int take(thrum_lock *lock);

#ifdef GOOD
int take(thrum_lock *lock) { return thrum_lock_acquire_until(lock, thrum_in(1)); }
#else
int take(thrum_lock *lock) {
    thrum_lock_acquire_until(lock, thrum_in(1));
    return 0;
}
#endif
