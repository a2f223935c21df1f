/* SPDX-License-Identifier: MIT */
/* An executor as a block: three workers, one function over 0, 1, 2; the end of the block waits.
 *
 * Python:  with concurrent.futures.ThreadPoolExecutor(max_workers=3) as executor:
 *              executor.map(thread_function, range(3)) */
#include <thrum.h>

static int thread_function(const void *item, void *result) {
    int name = *(const int *)item;
    thrum_info("Thread %d: starting", name);
    thrum_sleep(0.2);
    thrum_info("Thread %d: finishing", name);
    *(int *)result = name * name;
    return 0;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    const int names[] = {0, 1, 2};
    int squares[3] = {-1, -1, -1};
    int rc = -1;
    thrum_with_executor(executor, &(thrum_executor_opts){.max_workers = 3}) {
        rc = thrum_map(executor, thread_function, names, 3, sizeof *names, squares,
                       sizeof *squares, NULL);
    }
    thrum_info("Main    : all done, squares %d %d %d", squares[0], squares[1], squares[2]);
    return rc == 0 ? 0 : 1;
}
