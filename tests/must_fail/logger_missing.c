/* SPDX-License-Identifier: MIT */
/* expect: incompatible|thrum_logger|argument */
/* flags: -Werror */
#include <thrum.h>

void say(thrum_logger *logger);

#ifdef GOOD
void say(thrum_logger *logger) { thrum_logger_info(logger, "worker is ready"); }
#else
void say(thrum_logger *logger) {
    (void)logger;
    thrum_logger_info("worker is ready", "x");
}
#endif
