// SPDX-License-Identifier: MIT
// rayon's pool for peer_pool_rayon.c.
use rayon::prelude::*;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

type Body = extern "C" fn(*mut c_void);
type Task = extern "C" fn(*mut c_void) -> *mut c_void;
type Item = extern "C" fn(*const c_void, *mut c_void) -> i32;

#[repr(C)]
pub struct Api {
    with: extern "C" fn(i32, Body, *mut c_void),
    flood: extern "C" fn(i64, Task, *mut c_void),
    map: extern "C" fn(Item, *const i64, *mut i64, i64),
    fib: extern "C" fn(i32) -> i64,
}

static POOL: AtomicPtr<rayon::ThreadPool> = AtomicPtr::new(null_mut());

fn pool() -> &'static rayon::ThreadPool {
    unsafe { &*POOL.load(Ordering::Acquire) }
}

extern "C" fn with(workers: i32, body: Body, arg: *mut c_void) {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(workers as usize);
    let own = Box::into_raw(Box::new(builder.build().unwrap()));
    POOL.store(own, Ordering::Release);
    body(arg);
    drop(unsafe { Box::from_raw(own) });
}

extern "C" fn flood(n: i64, task: Task, arg: *mut c_void) {
    let arg = arg as usize;
    pool().in_place_scope(|scope| {
        for _ in 0..n {
            scope.spawn(move |_| {
                task(arg as *mut c_void);
            });
        }
    });
}

extern "C" fn map(item: Item, from: *const i64, to: *mut i64, n: i64) {
    let (from, to) = (from as usize, to as usize);
    pool().install(|| {
        (0..n as usize).into_par_iter().for_each(|i| {
            item((from + 8 * i) as *const c_void, (to + 8 * i) as *mut c_void);
        })
    });
}

fn fib_of(n: i32) -> i64 {
    if n < 2 {
        return n as i64;
    }
    let (a, b) = rayon::join(|| fib_of(n - 1), || fib_of(n - 2));
    a + b
}

extern "C" fn fib(n: i32) -> i64 {
    pool().install(|| fib_of(n))
}

static API: Api = Api { with, flood, map, fib };

#[no_mangle]
pub extern "C" fn rayon_api() -> &'static Api {
    &API
}
