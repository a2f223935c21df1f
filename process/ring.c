/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <errno.h>
#include <string.h>

static size_t least(uint64_t a, uint64_t b) { return (size_t)(a < b ? a : b); }

int64_t thrum__ring_put(thrum__ring_end *end, const void *bytes, size_t n) {
    thrum__ring *ring = end->ring;
    uint64_t room = THRUM__RING_SIZE - (end->mine - end->theirs);
    if (room < n) {
        /* acquire: pairs with thrum__ring_get(): what was there has been read */
        uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        if (end->mine - head > THRUM__RING_SIZE)
            return -EPROTO;
        end->theirs = head;
        room = THRUM__RING_SIZE - (end->mine - end->theirs);
    }
    size_t put = least(n, room), at = (size_t)(end->mine % THRUM__RING_SIZE);
    size_t first = least(put, THRUM__RING_SIZE - at);
    if (put == 0)
        return 0;
    memcpy(ring->bytes + at, bytes, first);
    memcpy(ring->bytes, (const uint8_t *)bytes + first, put - first);
    end->mine += put;
    /* seq_cst: pairs with thrum__ring_get(), thrum__ring_await(), thrum__ring_ready() */
    __atomic_store_n(&ring->tail, end->mine, __ATOMIC_SEQ_CST);
    return (int64_t)put;
}

void thrum__ring_close(thrum__ring_end *end) {
    /* seq_cst: pairs with thrum__ring_await(), thrum__ring_ready() */
    __atomic_store_n(&end->ring->tail, end->mine | THRUM__RING_CLOSED, __ATOMIC_SEQ_CST);
}

int64_t thrum__ring_get(thrum__ring_end *end, void *bytes, size_t n) {
    thrum__ring *ring = end->ring;
    if (end->theirs == end->mine) {
        /* acquire: pairs with thrum__ring_put() */
        uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        if (tail == (end->mine | THRUM__RING_CLOSED))
            return -ESHUTDOWN;
        if ((tail & ~THRUM__RING_CLOSED) - end->mine > THRUM__RING_SIZE)
            return -EPROTO;
        end->theirs = tail & ~THRUM__RING_CLOSED;
    }
    size_t got = least(n, end->theirs - end->mine), at = (size_t)(end->mine % THRUM__RING_SIZE);
    size_t first = least(got, THRUM__RING_SIZE - at);
    if (got == 0)
        return 0;
    memcpy(bytes, ring->bytes + at, first);
    memcpy((uint8_t *)bytes + first, ring->bytes, got - first);
    end->mine += got;
    /* seq_cst: pairs with thrum__ring_put(), thrum__ring_await_room() */
    __atomic_store_n(&ring->head, end->mine, __ATOMIC_SEQ_CST);
    return (int64_t)got;
}

bool thrum__ring_ready(const thrum__ring_end *end) {
    /* acquire: pairs with thrum__ring_put(), thrum__ring_close() */
    return end->theirs != end->mine ||
           __atomic_load_n(&end->ring->tail, __ATOMIC_ACQUIRE) != end->mine;
}

void thrum__ring_attend(thrum__ring_end *end) {
    __atomic_store_n(&end->ring->awaited, 0, __ATOMIC_RELAXED);
}

bool thrum__ring_await(thrum__ring_end *end) {
    thrum__ring *ring = end->ring;
    /* seq_cst: pairs with thrum__ring_awaited() */
    __atomic_store_n(&ring->awaited, 1, __ATOMIC_SEQ_CST);
    /* seq_cst: pairs with thrum__ring_put(), thrum__ring_close() */
    if (end->theirs == end->mine && __atomic_load_n(&ring->tail, __ATOMIC_SEQ_CST) == end->mine)
        return true;
    thrum__ring_attend(end);
    return false;
}

bool thrum__ring_awaited(thrum__ring_end *end) {
    uint32_t *awaited = &end->ring->awaited;
    /* seq_cst: pairs with thrum__ring_await() */
    return __atomic_load_n(awaited, __ATOMIC_SEQ_CST) &&
           __atomic_exchange_n(awaited, 0, __ATOMIC_RELAXED);
}

bool thrum__ring_await_room(thrum__ring_end *end) {
    thrum__ring *ring = end->ring;
    /* seq_cst: pairs with thrum__ring_room_awaited() */
    __atomic_store_n(&ring->full, 1, __ATOMIC_SEQ_CST);
    /* seq_cst: pairs with thrum__ring_get() */
    if (end->mine - __atomic_load_n(&ring->head, __ATOMIC_SEQ_CST) >= THRUM__RING_SIZE)
        return true;
    __atomic_store_n(&ring->full, 0, __ATOMIC_RELAXED);
    return false;
}

bool thrum__ring_room_awaited(thrum__ring_end *end) {
    uint32_t *full = &end->ring->full;
    /* seq_cst: pairs with thrum__ring_await_room() */
    return __atomic_load_n(full, __ATOMIC_SEQ_CST) &&
           __atomic_exchange_n(full, 0, __ATOMIC_RELAXED);
}
