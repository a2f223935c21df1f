/* SPDX-License-Identifier: MIT */
/* Does this emulator run threads at all? */
#include <pthread.h>

static void *nothing(void *arg) { return arg; }

int main(void) {
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        if (pthread_create(&thread, 0, nothing, 0) != 0 || pthread_join(thread, 0) != 0)
            return 1;
    }
    return 0;
}
