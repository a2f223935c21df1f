/* SPDX-License-Identifier: MIT */
/* Processes of their own; pointers into shared memory are valid there. One dies holding the lock.
 * Python:  p = multiprocessing.Process(target=producer, args=(pipeline, 20)); p.start() */
#include <signal.h>
#include <thrum.h>
#include <thrum/process.h>

typedef struct common {
    thrum_shared_queue pipeline;
    int room[10];
    thrum_shared_lock lock;
    int stored, repaired; /* under lock */
} common;

THRUM_TASK(void, producer, (thrum_shared_queue *, pipeline), (int, n)) {
    for (int message = 1; message <= n; message++)
        thrum_shared_queue_put(pipeline, &message); /* blocks while it is full */
    thrum_shared_queue_shutdown(pipeline, false);   /* consumers still get what is left */
}

THRUM_TASK(void, consumer, (common *, c), (int, last)) {
    int message;
    while (thrum_shared_queue_get(&c->pipeline, &message) == 0) {
        if (thrum_shared_lock_acquire(&c->lock) == -EOWNERDEAD)
            c->repaired += 1;
        c->stored += 1;
        if (message == last)
            raise(SIGKILL);
        thrum_shared_lock_release(&c->lock);
    }
}

static void end(thrum_process *process) {
    int code = 0;
    thrum_process_join(process);
    if (thrum_process_exit_code(process, &code) == 0) /* of a signal n: -n */
        thrum_info("Main: %s ended with exit code %d", thrum_process_name(process), code);
    thrum_process_free(process);
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});
    thrum_shared *shared;
    thrum_process *first, *second;
    if (thrum_shared_create(&shared, NULL, sizeof(common), NULL) != 0)
        return 1;
    common *c = thrum_shared_memory(shared);
    if (thrum_shared_queue_init(&c->pipeline, c->room, sizeof c->room[0], 10) != 0 ||
        producer_start_process(&first, &c->pipeline, 20, NULL) != 0 ||
        consumer_start_process(&second, c, 5, &(thrum_process_opts){.name = "Consumer"}) != 0)
        return 1;
    end(second); /* the producer waits for room by now */
    if (consumer_start_process(&second, c, 0, NULL) == 0)
        end(second);
    end(first);
    thrum_info("Main: %d messages stored, repaired %d time", c->stored, c->repaired);
    return 0;
}
