/* SPDX-License-Identifier: MIT */
/* expect: unused variable */
/* flags: -Werror=unused-variable */
#include <thrum.h>

int count(thrum_shared_lock *lock);

#ifdef GOOD
int count(thrum_shared_lock *lock) {
    int n = 0;
    thrum_with_shared(lock, rc)
        n += rc == 0;
    return n;
}
#else
int count(thrum_shared_lock *lock) {
    int n = 0;
    thrum_with_shared(lock, rc)
        n += 1;
    return n;
}
#endif
