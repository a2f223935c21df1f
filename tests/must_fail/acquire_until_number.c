/* SPDX-License-Identifier: MIT */
/* expect: incompatible type */
#include <thrum.h>

int take(thrum_lock *lock);

#ifdef GOOD
int take(thrum_lock *lock) { return thrum_lock_acquire_until(lock, thrum_in(0.5)); }
#else
int take(thrum_lock *lock) { return thrum_lock_acquire_until(lock, 0.5); }
#endif
