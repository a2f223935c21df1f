/* SPDX-License-Identifier: MIT */
/* expect: incompatible */
#include <thrum.h>

int send(thrum_queue *queue, const int *item);

#ifdef GOOD
int send(thrum_queue *queue, const int *item) {
    return thrum_queue_put_until(queue, item, thrum_in(0.5));
}
#else
int send(thrum_queue *queue, const int *item) { return thrum_queue_put_until(queue, item, 0.5); }
#endif
