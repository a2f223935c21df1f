// SPDX-License-Identifier: MIT
// The loops of peer_queue.h for the channels of std::sync::mpsc (a single consumer), and for those
// of crossbeam when built with that feature.
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

#[repr(C)]
pub struct Api {
    begin: extern "C" fn(usize, i32, i32) -> bool,
    end: extern "C" fn(),
    pair: extern "C" fn(i64),
    put: extern "C" fn(&AtomicBool),
    get: extern "C" fn() -> u64,
    pass: extern "C" fn(u32, bool, Option<extern "C" fn(*mut c_void)>, *mut c_void),
}

const END: usize = 1;

fn put_all(stop: &AtomicBool, put: impl Fn(usize)) {
    let mut item = 0;
    while !stop.load(Ordering::Relaxed) {
        put(item);
        item = item.wrapping_add(8);
    }
    put(END);
}

macro_rules! queue {
    ($module:ident, $library:path, $bounded:ident, $unbounded:ident, $sender:ident, $export:ident,
     $many_consumers:expr) => {
        mod $module {
            use super::{put_all, Api, END};
            use std::ffi::c_void;
            use std::hint::black_box;
            use std::ptr::null_mut;
            use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
            use std::sync::Mutex;
            use $library as channel;

            enum Tx {
                Bounded(channel::$sender<usize>),
                Unbounded(channel::Sender<usize>),
            }

            impl Tx {
                fn twin(&self) -> Tx {
                    match self {
                        Tx::Bounded(tx) => Tx::Bounded(tx.clone()),
                        Tx::Unbounded(tx) => Tx::Unbounded(tx.clone()),
                    }
                }
            }

            struct Ways {
                tx: [Tx; 2],
                rx: [channel::Receiver<usize>; 2], // each used by one thread only
            }
            static WAYS: AtomicPtr<Ways> = AtomicPtr::new(null_mut());
            static SENDERS: Mutex<Vec<Tx>> = Mutex::new(Vec::new());
            static RECEIVERS: Mutex<Vec<channel::Receiver<usize>>> = Mutex::new(Vec::new());

            fn make(capacity: usize) -> (Tx, channel::Receiver<usize>) {
                if capacity == 0 {
                    let (tx, rx) = channel::$unbounded();
                    (Tx::Unbounded(tx), rx)
                } else {
                    let (tx, rx) = channel::$bounded(capacity);
                    (Tx::Bounded(tx), rx)
                }
            }

            extern "C" fn begin(capacity: usize, producers: i32, consumers: i32) -> bool {
                let many: Option<fn(&channel::Receiver<usize>) -> channel::Receiver<usize>> =
                    $many_consumers;
                if consumers > 1 && many.is_none() {
                    return false;
                }
                let (tx, rx) = make(capacity);
                SENDERS.lock().unwrap().extend((0..producers).map(|_| tx.twin()));
                let mut receivers = RECEIVERS.lock().unwrap();
                if let Some(twin) = many {
                    receivers.extend((1..consumers).map(|_| twin(&rx)));
                }
                receivers.push(rx);
                let (there, back) = (make(capacity), make(capacity));
                let ways = Ways { tx: [there.0, back.0], rx: [there.1, back.1] };
                WAYS.store(Box::into_raw(Box::new(ways)), Ordering::Release);
                true
            }

            extern "C" fn end() {
                SENDERS.lock().unwrap().clear();
                RECEIVERS.lock().unwrap().clear();
                drop(unsafe { Box::from_raw(WAYS.load(Ordering::Acquire)) });
            }

            extern "C" fn put(stop: &AtomicBool) {
                let tx = SENDERS.lock().unwrap().pop().unwrap();
                match tx {
                    Tx::Bounded(tx) => put_all(stop, |item| tx.send(item).unwrap()),
                    Tx::Unbounded(tx) => put_all(stop, |item| tx.send(item).unwrap()),
                }
            }

            extern "C" fn get() -> u64 {
                let rx = RECEIVERS.lock().unwrap().pop().unwrap();
                let mut ops = 0;
                while rx.recv().unwrap() != END {
                    ops += 1;
                }
                ops
            }

            extern "C" fn pair(n: i64) {
                let ways = unsafe { &*WAYS.load(Ordering::Acquire) };
                if let Tx::Bounded(tx) = &ways.tx[0] {
                    for _ in 0..n {
                        tx.send(black_box(END)).unwrap();
                        black_box(ways.rx[0].recv().unwrap());
                    }
                }
            }

            extern "C" fn pass(
                side: u32,
                wait: bool,
                received: Option<extern "C" fn(*mut c_void)>,
                arg: *mut c_void,
            ) {
                let ways = unsafe { &*WAYS.load(Ordering::Acquire) };
                if wait {
                    ways.rx[side as usize].recv().unwrap();
                }
                if let (Some(received), Tx::Bounded(tx)) = (received, &ways.tx[1 - side as usize]) {
                    received(arg);
                    tx.send(END).unwrap();
                }
            }

            static API: Api = Api { begin, end, pair, put, get, pass };

            #[no_mangle]
            pub extern "C" fn $export() -> &'static Api {
                &API
            }
        }
    };
}

queue!(of_std, std::sync::mpsc, sync_channel, channel, SyncSender, rust_mpsc_api, None);
#[cfg(feature = "crates")]
queue!(of_crossbeam, crossbeam_channel, bounded, unbounded, Sender, crossbeam_api,
    Some(|rx| rx.clone()));
