/* SPDX-License-Identifier: MIT */
/* Producer and consumer over a queue that holds ten messages; an event says stop.
 *
 * Python:  pipeline = queue.Queue(maxsize=10)
 *          while not event.is_set():
 *              pipeline.put(message) */
#include <thrum.h>

static thrum_queue *pipeline;
static thrum_event event;

static void *producer(void *arg) {
    for (int message = 100; !thrum_event_is_set(&event); message++) {
        thrum_info("Producer got message: %d", message);
        if (thrum_queue_put(pipeline, &message) != 0) /* blocks while the queue is full */
            break;
    }
    thrum_info("Producer received event. Exiting");
    thrum_queue_shutdown(pipeline, false); /* the consumer still gets what is left */
    return arg;
}

static void *consumer(void *arg) {
    int message;
    while (thrum_queue_get(pipeline, &message) == 0) { /* blocks while the queue is empty */
        thrum_info("Consumer storing message: %d (size=%zu)", message,
                   thrum_queue_qsize(pipeline));
        thrum_sleep(0.02); /* slower than the producer, so that the queue fills */
    }
    thrum_info("Consumer received event. Exiting");
    return arg;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    pipeline = thrum_queue_new(sizeof(int), &(thrum_queue_opts){.maxsize = 10});
    if (pipeline == NULL)
        return 1;
    thrum_thread *p, *c;
    if (thrum_thread_start(&p, producer, NULL, NULL) != 0 ||
        thrum_thread_start(&c, consumer, NULL, NULL) != 0)
        return 1;
    thrum_sleep(0.2);
    thrum_info("Main: about to set event");
    thrum_event_set(&event);
    thrum_thread_join(p, NULL);
    thrum_thread_join(c, NULL);
    thrum_thread_free(p);
    thrum_thread_free(c);
    thrum_queue_free(pipeline);
    return 0;
}
