/* SPDX-License-Identifier: MIT */
/* expect: unused-result */
/* flags: -Werror=unused-result */
#include <thrum.h>

void take(thrum_lock *lock);

#ifdef GOOD
void take(thrum_lock *lock) {
    if (thrum_lock_try_acquire(lock))
        thrum_lock_release(lock);
}
#else
void take(thrum_lock *lock) { thrum_lock_try_acquire(lock); }
#endif
