/* SPDX-License-Identifier: MIT */
/* expect: unused-result */
/* flags: -Werror=unused-result */
#include <thrum.h>

int next(thrum_queue *queue);

#ifdef GOOD
int next(thrum_queue *queue) {
    int item = 0;
    return thrum_queue_try_get(queue, &item) == 0 ? item : -1;
}
#else
int next(thrum_queue *queue) {
    int item = 0;
    thrum_queue_try_get(queue, &item);
    return item;
}
#endif
