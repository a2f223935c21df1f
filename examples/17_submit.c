/* SPDX-License-Identifier: MIT */
/* Submit with arguments: a task is a plain function, its arguments and result keep their types.
 *
 * THRUM_TASK defines the function and what submits it: a call with wrong arguments does not
 * compile, where Python's fails when it runs.
 *
 * Python:  with ThreadPoolExecutor(max_workers=1) as executor:
 *              future = executor.submit(pow, 323, 1235)
 *              print(future.result()) */
#include <thrum.h>

THRUM_TASK(double, power, (double, base), (int, exponent)) {
    double product = 1;
    if (exponent < 0) {
        thrum_raise(-EINVAL, "%d is no exponent", exponent);
        return 0;
    }
    for (int i = 0; i < exponent; i++)
        product *= base;
    thrum_info("Task    : %g to the power of %d is %g", base, exponent, product);
    return product;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_with_executor(executor, &(thrum_executor_opts){.max_workers = 1}) {
        thrum_future *good, *bad;
        double value = 0;
        if (power_submit(executor, &good, 2.5, 4) != 0 ||
            power_submit(executor, &bad, 2.5, -4) != 0)
            return 1;
        if (power_result(good, &value) == 0)
            thrum_info("Main    : the result is %g", value);
        if (power_result(bad, &value) != 0)
            thrum_info("Main    : the other has failed: %s", thrum_future_error(bad)->message);
        thrum_future_free(good);
        thrum_future_free(bad);
    }
    return 0;
}
