// SPDX-License-Identifier: MIT
// The loops of peer.h for std::sync, and for parking_lot when built with that feature.
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Barrier;

#[path = "peer_rust_queue.rs"]
mod queue;

#[cfg(feature = "pool")]
#[path = "peer_rust_pool.rs"]
mod pool;

#[repr(C)]
pub struct Api {
    lock_size: usize,
    condition_size: usize,
    pairs: extern "C" fn(i64),
    section: extern "C" fn(u32, extern "C" fn(u32), Option<extern "C" fn() -> u64>) -> u64,
    turn: extern "C" fn(u32, extern "C" fn(*mut c_void), *mut c_void),
    notify: extern "C" fn(i64),
    start_join: Option<extern "C" fn(i64, i64)>,
    meet: Option<extern "C" fn()>,
}

mod std_sync {
    pub use std::sync::{Condvar, Mutex, MutexGuard};
    #[inline(always)]
    pub fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
        m.lock().unwrap()
    }
    #[inline(always)]
    pub fn wait<'a, T>(c: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        c.wait(guard).unwrap()
    }
}

#[cfg(feature = "crates")]
mod parking {
    pub use parking_lot::{Condvar, Mutex, MutexGuard};
    #[inline(always)]
    pub fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
        m.lock()
    }
    #[inline(always)]
    pub fn wait<'a, T>(c: &Condvar, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        c.wait(&mut guard);
        guard
    }
}

extern "C" fn start_join(n: i64, at_once: i64) {
    for _ in 0..n {
        let threads: Vec<_> = (0..at_once).map(|_| std::thread::spawn(|| ())).collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

// Barrier::new() is not const in older versions, so the first who comes makes it.
static PHASE: AtomicPtr<Barrier> = AtomicPtr::new(null_mut());

extern "C" fn meet() {
    let mut phase = PHASE.load(Ordering::Acquire);
    if phase.is_null() {
        let made = Box::into_raw(Box::new(Barrier::new(2)));
        let (new, seen) = (Ordering::AcqRel, Ordering::Acquire);
        phase = match PHASE.compare_exchange(null_mut(), made, new, seen) {
            Ok(_) => made,
            Err(theirs) => theirs,
        };
    }
    unsafe { &*phase }.wait();
}

macro_rules! peer {
    ($module:ident, $library:ident, $export:ident, $start_join:expr, $meet:expr) => {
        mod $module {
            use super::$library::{lock, wait, Condvar, Mutex};
            use super::Api;
            use std::ffi::c_void;
            use std::hint::black_box;

            #[repr(align(64))]
            struct Line<T>(T);
            static GUARDED: Line<Mutex<[u64; 2]>> = Line(Mutex::new([0; 2]));
            static TURN: Line<Mutex<u32>> = Line(Mutex::new(0));
            static CHANGED: [Condvar; 2] = [Condvar::new(), Condvar::new()];

            extern "C" fn pairs(n: i64) {
                for _ in 0..n {
                    let mut guard = lock(&GUARDED.0);
                    black_box(&mut *guard);
                }
            }

            extern "C" fn section(
                work: u32,
                spin: extern "C" fn(u32),
                ticks: Option<extern "C" fn() -> u64>,
            ) -> u64 {
                let before = ticks.map_or(0, |ticks| ticks());
                let mut guard = lock(&GUARDED.0);
                let waited = ticks.map_or(0, |ticks| ticks() - before);
                guard[0] += 1;
                guard[1] += 1;
                if work != 0 {
                    spin(work);
                }
                drop(guard);
                waited
            }

            extern "C" fn turn(side: u32, received: extern "C" fn(*mut c_void), arg: *mut c_void) {
                let mut guard = lock(&TURN.0);
                while *guard != side {
                    guard = wait(&CHANGED[side as usize], guard);
                }
                received(arg);
                *guard = 1 - side;
                CHANGED[1 - side as usize].notify_one();
            }

            extern "C" fn notify(n: i64) {
                let guard = lock(&TURN.0);
                for _ in 0..n {
                    black_box(&CHANGED[0]).notify_one();
                }
                drop(guard);
            }

            static API: Api = Api {
                lock_size: std::mem::size_of::<Mutex<()>>(),
                condition_size: std::mem::size_of::<Condvar>(),
                pairs,
                section,
                turn,
                notify,
                start_join: $start_join,
                meet: $meet,
            };

            #[no_mangle]
            pub extern "C" fn $export() -> &'static Api {
                &API
            }
        }
    };
}

peer!(of_std, std_sync, rust_std_api, Some(super::start_join), Some(super::meet));
#[cfg(feature = "crates")]
peer!(of_parking_lot, parking, rust_parking_lot_api, None, None);
