/* SPDX-License-Identifier: MIT */
/* Four children to a node: half the levels of a binary heap, and the keys of a node's children lie
 * together. */
#include "thread/timer.h"

enum { CHILDREN = 4 };

typedef struct thrum__timer_place {
    int64_t due;
    uint64_t order;
    thrum_timer *timer;
} place;

static bool before(const place *a, const place *b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void put(thrum__timer_heap *heap, size_t i, place it) {
    heap->places[i] = it;
    it.timer->index = i + 1;
}

/* Finds a place for `it`, from the hole at `i` towards the first. */
static void sift_up(thrum__timer_heap *heap, size_t i, place it) {
    while (i > 0 && before(&it, &heap->places[(i - 1) / CHILDREN])) {
        put(heap, i, heap->places[(i - 1) / CHILDREN]);
        i = (i - 1) / CHILDREN;
    }
    put(heap, i, it);
}

/* Finds a place for `it`, from the hole at `i` away from the first. */
static void sift_down(thrum__timer_heap *heap, size_t i, place it) {
    for (;;) {
        size_t child = i * CHILDREN + 1;
        size_t end = child + CHILDREN < heap->n ? child + CHILDREN : heap->n;
        size_t least = child;
        if (child >= heap->n)
            break;
        while (++child < end)
            if (before(&heap->places[child], &heap->places[least]))
                least = child;
        if (!before(&heap->places[least], &it))
            break;
        put(heap, i, heap->places[least]);
        i = least;
    }
    put(heap, i, it);
}

thrum_timer *thrum__timer_heap_first(const thrum__timer_heap *heap) {
    return heap->n > 0 ? heap->places[0].timer : NULL;
}

thrum_timer *thrum__timer_heap_at(const thrum__timer_heap *heap, size_t i) {
    return heap->places[i].timer;
}

void thrum__timer_heap_insert(thrum__timer_heap *heap, thrum_timer *timer) {
    place it = {timer->due, timer->order, timer};
    sift_up(heap, heap->n++, it);
}

void thrum__timer_heap_remove(thrum__timer_heap *heap, thrum_timer *timer) {
    size_t i = timer->index - 1;
    place last = heap->places[--heap->n];
    timer->index = 0;
    if (last.timer == timer)
        return;
    if (i > 0 && before(&last, &heap->places[(i - 1) / CHILDREN]))
        sift_up(heap, i, last);
    else
        sift_down(heap, i, last);
}

void *thrum__timer_heap_swap(thrum__timer_heap *heap, void *places, size_t room) {
    void *old = heap->places;
    place *to = places;
    for (size_t i = 0; i < heap->n; i++)
        to[i] = heap->places[i];
    heap->places = to;
    heap->room = room;
    return old;
}

size_t thrum__timer_heap_size(size_t room) {
    size_t size;
    return __builtin_mul_overflow(room, sizeof(place), &size) ? 0 : size;
}
