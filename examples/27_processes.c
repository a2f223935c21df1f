/* SPDX-License-Identifier: MIT */
/* Producer and consumer in two processes; the consumer is killed, another takes over.
 * Python:  pipeline = multiprocessing.Queue(maxsize=10)
 *          multiprocessing.Process(target=consumer, args=(pipeline, lock)).start() */
#include <signal.h>
#include <sys/wait.h>
#include <thrum.h>
#include <unistd.h>

static struct common {
    thrum_shared_queue pipeline;
    int room[10];
    thrum_shared_lock lock;
    int stored, sum; /* under lock */
} *c; /* memory that all the processes see */

static void producer(void) {
    for (int message = 100; message < 130; message++)
        thrum_shared_queue_put(&c->pipeline, &message); /* blocks while it is full */
    thrum_shared_queue_shutdown(&c->pipeline, false); /* consumers still get what is left */
}

static void consumer(int number) {
    int message;
    while (thrum_shared_queue_get(&c->pipeline, &message) == 0) { /* blocks while it is empty */
        if (thrum_shared_lock_acquire(&c->lock) == -EOWNERDEAD)
            thrum_info("Consumer %d: the lock's holder died, sum %d", number, c->sum);
        thrum_info("Consumer %d: storing message %d", number, message);
        c->stored += 1;
        if (number == 1 && message == 104)
            raise(SIGKILL); /* in the middle of a change, with the lock in its hand */
        c->sum += message;
        thrum_shared_lock_release(&c->lock);
    }
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});
    static thrum_shared *shared; /* its end is the process's */
    if (thrum_shared_create(&shared, NULL, sizeof *c, NULL) != 0)
        return 1;
    c = thrum_shared_memory(shared);
    if (thrum_shared_queue_init(&c->pipeline, c->room, sizeof c->room[0], 10) != 0)
        return 1;
    for (int number = 0; number <= 2; number++) {
        if (fork() == 0) {
            number == 0 ? producer() : consumer(number);
            return 0;
        }
        if (number == 1)
            wait(NULL); /* for it: the producer waits for room */
    }
    wait(NULL);
    wait(NULL);
    thrum_info("Main: %d messages stored", c->stored);
    thrum_shared_close(shared);
    return 0;
}
