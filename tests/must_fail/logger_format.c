/* SPDX-License-Identifier: MIT */
/* expect: format */
/* flags: -Wformat -Werror=format */
#include <thrum.h>

void say(thrum_logger *logger);

#ifdef GOOD
void say(thrum_logger *logger) { thrum_logger_info(logger, "%s is ready", "worker"); }
#else
void say(thrum_logger *logger) { thrum_logger_info(logger, "%s is ready", 7); }
#endif
