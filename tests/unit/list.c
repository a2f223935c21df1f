/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include "base/list.h"

enum { MEMBERS = 5 };

typedef struct member {
    int value;
    thrum__link link;
} member;

static void fill(thrum__link *list, member *members) {
    thrum__list_init(list);
    for (int i = 0; i < MEMBERS; i++) {
        members[i].value = i;
        thrum__list_init(&members[i].link);
        thrum__list_insert(list, &members[i].link);
    }
}

static int digits(const thrum__link *list) {
    int number = 9;
    THRUM__EACH(link, list) number = number * 10 + THRUM__MEMBER(member, link, link)->value;
    return number;
}

static int digits_backwards(const thrum__link *list) {
    int number = 9;
    for (thrum__link *link = list->prev; link != list; link = link->prev)
        number = number * 10 + THRUM__MEMBER(member, link, link)->value;
    return number;
}

static void test_insert_before_the_list_is_at_its_end(void **state) {
    (void)state;
    member members[MEMBERS];
    thrum__link list = THRUM__LIST_INIT(list);
    assert_true(thrum__list_empty(&list));
    fill(&list, members);
    assert_false(thrum__list_empty(&list));
    assert_int_equal(digits(&list), 901234);
    assert_int_equal(digits_backwards(&list), 943210);
}

static void test_insert_before_a_member(void **state) {
    (void)state;
    member members[MEMBERS];
    member extra = {.value = 7};
    thrum__link list;
    fill(&list, members);
    thrum__list_insert(&members[2].link, &extra.link);
    assert_int_equal(digits(&list), 9017234);
    assert_int_equal(digits_backwards(&list), 9432710);
}

static void test_remove(void **state) {
    (void)state;
    member members[MEMBERS];
    thrum__link list;
    fill(&list, members);
    thrum__list_remove(&members[2].link);
    assert_int_equal(digits(&list), 90134);
    thrum__list_remove(&members[0].link);
    thrum__list_remove(&members[4].link);
    assert_int_equal(digits(&list), 913);
    assert_int_equal(digits_backwards(&list), 931);
    assert_true(thrum__list_empty(&members[2].link));
}

static void test_remove_of_a_lone_link_does_nothing(void **state) {
    (void)state;
    member lone;
    thrum__list_init(&lone.link);
    thrum__list_remove(&lone.link);
    assert_true(thrum__list_empty(&lone.link));
    assert_ptr_equal(lone.link.prev, &lone.link);
}

SPEC_TESTS(cmocka_unit_test(test_insert_before_the_list_is_at_its_end),
           cmocka_unit_test(test_insert_before_a_member), cmocka_unit_test(test_remove),
           cmocka_unit_test(test_remove_of_a_lone_link_does_nothing));
