/* SPDX-License-Identifier: MIT */
/* expect: incompatible type */
#include <thrum.h>

int join(thrum_thread *thread);

#ifdef GOOD
int join(thrum_thread *thread) { return thrum_thread_join_until(thread, thrum_in(2), NULL); }
#else
int join(thrum_thread *thread) { return thrum_thread_join_until(thread, 2, NULL); }
#endif
