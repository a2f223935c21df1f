/* SPDX-License-Identifier: MIT */
/* Doubly linked circular list, links inside the members. A link that is in no list points at
 * itself. */
#ifndef THRUM_BASE_LIST_H
#define THRUM_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct thrum__link {
    struct thrum__link *next;
    struct thrum__link *prev;
} thrum__link;

#define THRUM__LIST_INIT(list) {&(list), &(list)}
#define THRUM__MEMBER(type, field, link) ((type *)(void *)((char *)(link)-offsetof(type, field)))
#define THRUM__EACH(link, list)                                                                    \
    for (thrum__link *link = (list)->next; link != (list); link = link->next)

static inline void thrum__list_init(thrum__link *link) { link->next = link->prev = link; }

static inline bool thrum__list_empty(const thrum__link *list) { return list->next == list; }

/* Puts `link`, which is in no list, before `place`; before the list itself means at its end. */
static inline void thrum__list_insert(thrum__link *place, thrum__link *link) {
    link->next = place;
    link->prev = place->prev;
    place->prev->next = link;
    place->prev = link;
}

/* Takes `link` out of its list, if it is in one. */
static inline void thrum__list_remove(thrum__link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    thrum__list_init(link);
}

#endif
