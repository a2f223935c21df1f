/* SPDX-License-Identifier: MIT */
/* The error that a pool usually hides: a task fails, and nobody asks for its result.
 *
 * Here the hook is told of it, at the latest when the task's last future goes.
 *
 * Python:  with ThreadPoolExecutor(max_workers=3) as executor:
 *              executor.map(function_without_parameters, range(3))     # TypeError, never seen */
#include <thrum.h>

static void *parse(void *arg) {
    const char *text = arg;
    for (const char *c = text; *c; c++)
        if (*c < '0' || *c > '9') {
            thrum_raise(-EINVAL, "\"%s\" is not a number", text);
            return NULL;
        }
    thrum_info("Task    : %s is fine", text);
    return arg;
}

static void on_failure(const thrum_failure *failure, void *arg) {
    (void)arg;
    thrum_error("Hook    : nobody asked, but: %s", failure->message);
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});
    thrum_set_excepthook(on_failure, NULL);

    thrum_with_executor(executor, &(thrum_executor_opts){.max_workers = 1}) {
        thrum_future *asked;
        if (thrum_submit(executor, NULL, parse, "12") != 0 ||
            thrum_submit(executor, NULL, parse, "1x2") != 0 ||
            thrum_submit(executor, &asked, parse, "ninety") != 0)
            return 1;
        int rc = thrum_future_result(asked, NULL);
        thrum_info("Main    : asked, and got %s: %s", thrum_strerror(rc),
                   thrum_future_error(asked)->message);
        thrum_future_free(asked);
    }
    return 0;
}
