//! The pool under panics, floods and idleness.

use super::{Busy, Lost, Workers};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

/// A door that jobs stop at until the test lets them through.
fn door(jobs: usize) -> (Receiver<()>, Sender<()>, impl Fn() + Clone + Send + 'static) {
    let (arrived, arrivals) = bounded(jobs);
    let (open, opened) = bounded(jobs);
    let wait = move || {
        arrived.send(()).unwrap();
        let _ = opened.recv();
    };
    (arrivals, open, wait)
}

/// Says so when the thread that ran the job has ended.
struct AtThreadEnd(Sender<()>);

impl Drop for AtThreadEnd {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static END: std::cell::RefCell<Option<AtThreadEnd>> = const { std::cell::RefCell::new(None) };
}

fn mark_thread(ended: Sender<()>) {
    END.with(|end| end.borrow_mut().get_or_insert(AtThreadEnd(ended)).0.len());
}

#[tokio::test]
async fn a_job_s_value_comes_back() {
    let workers = Workers::new("test", 2, 2);
    assert_eq!(workers.threads(), 0, "nothing starts before the first job");
    assert_eq!(workers.run(|| 6 * 7).unwrap().await, Ok(42));
}

#[tokio::test]
async fn many_jobs_end_all_each_once() {
    let workers = Workers::new("test", 4, 10_000);
    let pending: Vec<_> = (0..10_000).map(|number| workers.run(move || number).unwrap()).collect();
    for (number, pending) in pending.into_iter().enumerate() {
        assert_eq!(pending.await, Ok(number));
    }
    assert!((1..=4).contains(&workers.threads()));
}

#[test]
fn many_threads_may_submit_while_others_end() {
    // Threads end all the time, so every way between idle and ended is walked while jobs come in.
    let workers = Workers::with_idle_time("test", 3, 64, Duration::from_micros(50));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for number in 0..2_000 {
                    assert_eq!(runtime.block_on(workers.run(move || number).unwrap()), Ok(number));
                    if number % 16 == 0 {
                        std::thread::sleep(Duration::from_micros(60));
                    }
                }
            });
        }
    });
}

#[tokio::test]
async fn a_full_pool_refuses_at_once() {
    let workers = Workers::new("test", 2, 1);
    let (arrivals, open, wait) = door(3);
    let mut running: Vec<_> = (0..2).map(|_| workers.run(wait.clone()).unwrap()).collect();
    arrivals.recv().unwrap();
    arrivals.recv().unwrap();
    assert_eq!((workers.busy_threads(), workers.threads()), (2, 2));

    running.push(workers.run(wait).unwrap());
    assert_eq!(workers.run(|| ()).unwrap_err(), Busy);

    (0..3).for_each(|_| open.send(()).unwrap());
    for pending in running {
        assert_eq!(pending.await, Ok(()));
    }
    assert_eq!(workers.run(|| 1).unwrap().await, Ok(1));
}

#[tokio::test]
async fn a_panic_loses_one_answer_and_no_thread() {
    let workers = Workers::new("test", 1, 4);
    for _ in 0..3 {
        assert_eq!(workers.run(|| panic!("on purpose")).unwrap().await, Err::<(), _>(Lost));
    }
    assert_eq!(workers.run(|| 1).unwrap().await, Ok(1));
    assert_eq!(workers.threads(), 1);
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("on purpose, in a drop");
    }
}

#[tokio::test]
async fn a_panic_while_dropping_harms_no_thread() {
    let workers = Workers::new("test", 1, 4);
    assert_eq!(workers.run(|| std::panic::panic_any(Bomb)).unwrap().await, Err::<(), _>(Lost));
    // The answer finds nobody and is dropped by the thread.
    let (arrivals, open, wait) = door(1);
    let unwanted = workers.run(move || {
        wait();
        Bomb
    });
    arrivals.recv().unwrap();
    drop(unwanted);
    open.send(()).unwrap();
    assert_eq!(workers.run(|| 1).unwrap().await, Ok(1));
    assert_eq!(workers.threads(), 1);
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_any_more_does_not_begin() {
    let workers = Workers::new("test", 1, 4);
    let (arrivals, open, wait) = door(1);
    let running = workers.run(wait).unwrap();
    arrivals.recv().unwrap();
    let (ran, runs) = bounded(1);
    drop(workers.run(move || ran.send(()).unwrap()).unwrap());
    open.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(workers.run(|| 1).unwrap().await, Ok(1), "the queue went on");
    assert!(runs.try_recv().is_err());
}

#[tokio::test]
async fn idle_threads_end() {
    let workers = Workers::with_idle_time("test", 2, 2, SHORT);
    let (ended, ends) = bounded(2);
    let (arrivals, open, wait) = door(2);
    let running: Vec<_> = (0..2)
        .map(|_| {
            let (wait, ended) = (wait.clone(), ended.clone());
            workers.run(move || {
                mark_thread(ended);
                wait();
            })
        })
        .collect();
    (0..2).for_each(|_| arrivals.recv().unwrap());
    (0..2).for_each(|_| open.send(()).unwrap());
    for pending in running {
        pending.unwrap().await.unwrap();
    }
    (0..2).for_each(|_| ends.recv_timeout(LONG).unwrap());
    assert_eq!((workers.threads(), workers.busy_threads()), (0, 0));
    assert_eq!(workers.run(|| 1).unwrap().await, Ok(1), "and new ones start");
}

#[tokio::test]
async fn jobs_one_by_one_keep_to_the_thread_that_is_warm() {
    let workers = Workers::with_idle_time("test", 4, 4, LONG);
    let (arrivals, open, wait) = door(4);
    let running: Vec<_> = (0..4).map(|_| workers.run(wait.clone()).unwrap()).collect();
    (0..4).for_each(|_| arrivals.recv().unwrap());
    (0..4).for_each(|_| open.send(()).unwrap());
    for pending in running {
        pending.await.unwrap();
    }
    until_idle(&workers);
    let first = workers.run(|| std::thread::current().id()).unwrap().await;
    for _ in 0..20 {
        until_idle(&workers);
        assert_eq!(workers.run(|| std::thread::current().id()).unwrap().await, first);
    }
}

/// An answer is there before its thread is idle again; nothing tells when it is.
fn until_idle(workers: &Workers) {
    while workers.busy_threads() > 0 {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn the_pool_s_end_loses_what_waits_and_ends_what_is_idle() {
    let workers = Workers::with_idle_time("test", 2, 4, LONG);
    let (ended, ends) = bounded(2);
    let (arrivals, open, wait) = door(2);
    let running: Vec<_> = (0..2)
        .map(|_| {
            let (wait, ended) = (wait.clone(), ended.clone());
            let job = move || {
                mark_thread(ended);
                wait();
            };
            workers.run(job).unwrap()
        })
        .collect();
    (0..2).for_each(|_| arrivals.recv().unwrap());
    let waiting = workers.clone().run(|| 1).unwrap();
    drop(workers);
    assert_eq!(waiting.await, Err(Lost));
    (0..2).for_each(|_| open.send(()).unwrap());
    for pending in running {
        assert_eq!(pending.await, Ok(()), "a job that runs is left to its end");
    }
    (0..2).for_each(|_| ends.recv_timeout(LONG).unwrap());
}

#[tokio::test]
async fn the_pool_s_end_ends_idle_threads_at_once() {
    let workers = Workers::with_idle_time("test", 1, 1, Duration::from_secs(3600));
    let (ended, ends) = bounded(1);
    workers.run(move || mark_thread(ended)).unwrap().await.unwrap();
    until_idle(&workers);
    drop(workers);
    ends.recv_timeout(LONG).unwrap();
}
