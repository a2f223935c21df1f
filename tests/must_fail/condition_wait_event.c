/* SPDX-License-Identifier: MIT */
/* expect: incompatible */
/* flags: -Werror=incompatible-pointer-types */
#include <thrum.h>

void wait(thrum_condition *changed);

#ifdef GOOD
void wait(thrum_condition *changed) {
    static thrum_rlock guard;
    thrum_condition_wait(changed, &guard);
}
#else
void wait(thrum_condition *changed) {
    static thrum_event guard;
    thrum_condition_wait(changed, &guard);
}
#endif
