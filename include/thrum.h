/* SPDX-License-Identifier: MIT */
/* thrum: Python's threading toolbox for C. One header per concept; this one includes them all. */
#ifndef THRUM_H
#define THRUM_H

#include <thrum/barrier.h>
#include <thrum/bytes.h>
#include <thrum/condition.h>
#include <thrum/config.h>
#include <thrum/dump.h>
#include <thrum/error.h>
#include <thrum/event.h>
#include <thrum/executor.h>
#include <thrum/fork_join.h>
#include <thrum/future.h>
#include <thrum/guard.h>
#include <thrum/handler.h>
#include <thrum/local.h>
#include <thrum/lock.h>
#include <thrum/log.h>
#include <thrum/logger.h>
#include <thrum/once.h>
#include <thrum/map.h>
#include <thrum/pack.h>
#include <thrum/queue.h>
#include <thrum/rlock.h>
#include <thrum/semaphore.h>
#include <thrum/stream.h>
#include <thrum/shared.h>
#include <thrum/shared_barrier.h>
#include <thrum/shared_condition.h>
#include <thrum/shared_event.h>
#include <thrum/shared_guard.h>
#include <thrum/shared_lock.h>
#include <thrum/shared_queue.h>
#include <thrum/shared_rlock.h>
#include <thrum/shared_semaphore.h>
#include <thrum/task.h>
#include <thrum/thread.h>
#include <thrum/time.h>
#include <thrum/timer.h>
#include <thrum/wait.h>

#endif
