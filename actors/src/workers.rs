//! A pool of OS threads, made on demand, for work that blocks or is heavy: remote decisions, large redactions.
//!
//! A job goes to the thread that became idle last, so the others can end; each thread is handed its job through a
//! place of its own, in which it sleeps without spinning first: a job that waits for the network lasts so long that
//! yielding the processor in a loop would only take it from whoever has work. Everything else waits in one queue with
//! a number.

#[cfg(test)]
mod tests;

use crate::limits::{IDLE_THREAD, WORKER_STACK_BYTES};
use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// Where blocking and heavy work is done.
#[derive(Clone, Default)]
pub enum Threads {
    /// On threads of the operating system.
    #[default]
    System,
    /// As tasks of the runtime that each take the given time of its clock before they run: a simulation replays only
    /// when no thread races with the clock.
    Simulated(Arc<dyn Fn() -> Duration + Send + Sync>),
}

impl Threads {
    /// A pool as [`Workers::new`] describes it.
    pub fn workers(&self, name: &'static str, max_threads: usize, queue: usize) -> Workers {
        let mut pool = Pool::new(name, max_threads, queue, IDLE_THREAD);
        if let Self::Simulated(duration) = self {
            pool.simulated = Some(duration.clone());
        }
        Workers { handle: Arc::new(Handle(Arc::new(pool))) }
    }
}

/// A handle on the pool. Clones share it; with the last one idle threads end and queued jobs are lost, while a job
/// that runs is left to itself. No thread ever holds up the end of the process.
#[derive(Clone, Debug)]
pub struct Workers {
    handle: Arc<Handle>,
}

impl Workers {
    /// A pool of at most `max_threads` threads (at least one) named `name`, in front of which at most `queue` jobs
    /// wait. Starts nothing yet.
    pub fn new(name: &'static str, max_threads: usize, queue: usize) -> Self {
        Self::with_idle_time(name, max_threads, queue, IDLE_THREAD)
    }

    fn with_idle_time(name: &'static str, max_threads: usize, queue: usize, idle_time: Duration) -> Self {
        let pool = Pool::new(name, max_threads, queue, idle_time);
        Self { handle: Arc::new(Handle(Arc::new(pool))) }
    }

    /// Hands `job` to a thread, or queues it. Never waits.
    ///
    /// A job whose [`Pending`] was dropped before it began is not run: nobody wants its answer any more.
    ///
    /// # Errors
    /// [`Busy`] when every thread works and the queue is full, or when the system gives no thread.
    pub fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Pending<T>, Busy> {
        let (answer, pending) = oneshot::channel();
        self.handle.0.submit(Box::new(move || {
            if !answer.is_closed() {
                let _ = answer.send(job());
            }
        }))?;
        Ok(Pending(pending))
    }

    /// Hands over a job that brings its answer home by itself; it is run whether or not anybody still waits.
    ///
    /// # Errors
    /// As [`Workers::run`].
    pub fn start(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Busy> {
        self.handle.0.submit(Box::new(job))
    }

    /// Threads that have a job now.
    pub fn busy_threads(&self) -> usize {
        let state = self.handle.0.lock();
        state.threads - state.idle.len()
    }

    /// Threads that exist now, busy or idle.
    pub fn threads(&self) -> usize {
        self.handle.0.lock().threads
    }
}

/// The pool takes no more: refuse now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every worker thread is busy and the queue is full")]
pub struct Busy;

/// The job gave no answer: it panicked (the log says how), or the pool ended before it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the job was lost")]
pub struct Lost;

/// The answer to come. Dropping it takes back a job that has not begun; one that runs goes on to its end.
#[derive(Debug)]
#[must_use = "a job whose answer nobody waits for is not run"]
pub struct Pending<T>(oneshot::Receiver<T>);

impl<T> Future for Pending<T> {
    type Output = Result<T, Lost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(|_| Lost)
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// What an idle thread is told: a job, or to end.
type Order = Option<Job>;

/// Where one thread gets its orders.
#[derive(Default)]
struct Place {
    order: Mutex<Option<Order>>,
    filled: Condvar,
}

impl Place {
    /// Puts an order into the empty place.
    fn fill(&self, order: Order) {
        *self.lock() = Some(order);
        self.filled.notify_one();
    }

    /// The order that is here, now.
    fn take(&self) -> Option<Order> {
        self.lock().take()
    }

    /// The order that comes within `limit`.
    fn wait(&self, limit: Duration) -> Option<Order> {
        let waited = self.filled.wait_timeout_while(self.lock(), limit, |order| order.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Order>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the pool with the last [`Workers`]; the threads themselves hold only the pool.
#[derive(Debug)]
struct Handle(Arc<Pool>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Pool {
    name: &'static str,
    max_threads: usize,
    max_queued: usize,
    idle_time: Duration,
    /// How long a job takes before it runs, in a simulation.
    simulated: Option<Arc<dyn Fn() -> Duration + Send + Sync>>,
    /// Who is idle, who takes the next job and who ends is decided under this one lock. So a job is queued only
    /// while every thread works, and each of them looks into the queue before it becomes idle.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Threads that were started and have not ended.
    threads: usize,
    /// The places of the threads without a job, the latest on top. A place is on this stack at most once and is
    /// filled only by who took it off, so it is empty here.
    idle: Vec<Arc<Place>>,
    queue: VecDeque<Job>,
    closed: bool,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, max_threads, max_queued, .. } = self;
        let mut shown = f.debug_struct("Pool");
        shown.field("name", name).field("max_threads", max_threads).field("max_queued", max_queued);
        shown.finish_non_exhaustive()
    }
}

impl Pool {
    fn new(name: &'static str, max_threads: usize, max_queued: usize, idle_time: Duration) -> Self {
        let state = Mutex::default();
        Pool { name, max_threads: max_threads.max(1), max_queued, idle_time, simulated: None, state }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(self: &Arc<Self>, job: Job) -> Result<(), Busy> {
        if let Some(duration) = &self.simulated {
            return self.simulate(job, duration());
        }
        let mut state = self.lock();
        if let Some(idle) = state.idle.pop() {
            idle.fill(Some(job));
            return Ok(());
        }
        let job = if state.threads < self.max_threads {
            let Err(job) = self.start_thread(job) else {
                state.threads += 1;
                return Ok(());
            };
            job
        } else {
            job
        };
        if state.threads == 0 || state.queue.len() >= self.max_queued {
            return Err(Busy);
        }
        state.queue.push_back(job);
        Ok(())
    }

    /// Runs `job` as a task, `duration` from now; counts it as a thread.
    fn simulate(self: &Arc<Self>, job: Job, duration: Duration) -> Result<(), Busy> {
        let mut state = self.lock();
        if state.threads >= self.max_threads + self.max_queued {
            return Err(Busy);
        }
        state.threads += 1;
        drop(state);
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            pool.perform(job);
            pool.lock().threads -= 1;
        });
        Ok(())
    }

    /// Starts a thread whose first job is `job`; gives it back when the system has no thread.
    fn start_thread(self: &Arc<Self>, job: Job) -> Result<(), Job> {
        let place = Arc::new(Place::default());
        place.fill(Some(job));
        let rescued = Arc::clone(&place);
        let pool = Arc::clone(self);
        let builder = std::thread::Builder::new().name(self.name.to_owned()).stack_size(WORKER_STACK_BYTES);
        match builder.spawn(move || pool.serve(&place)) {
            Ok(_detached) => Ok(()),
            Err(error) => {
                tracing::warn!(pool = self.name, %error, "the system gives no more threads");
                Err(rescued.take().flatten().unwrap_or_else(|| Box::new(|| {})))
            }
        }
    }

    /// The life of one thread.
    fn serve(&self, place: &Arc<Place>) {
        let mut next = place.take().flatten();
        while let Some(job) = next {
            self.perform(job);
            next = self.next(place);
        }
        self.lock().threads -= 1;
    }

    /// The next job, or `None` when the thread is to end. It is not on the idle stack then.
    fn next(&self, place: &Arc<Place>) -> Order {
        {
            let mut state = self.lock();
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.idle.push(Arc::clone(place));
        }
        if let Some(order) = place.wait(self.idle_time) {
            return order;
        }
        let mut state = self.lock();
        let still_idle = state.idle.iter().position(|other| Arc::ptr_eq(other, place));
        match still_idle {
            Some(at) => drop(state.idle.remove(at)),
            // Somebody took this thread off the stack, and so has filled its place under the same lock.
            None => return place.take().flatten(),
        }
        None
    }

    fn perform(&self, job: Job) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(job)) else { return };
        tracing::error!(pool = self.name, panic = text_of(&*panic), "a job panicked, its answer is lost");
        // A payload may panic again when it is dropped, and would end this thread.
        std::mem::forget(panic);
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for idle in state.idle.drain(..) {
            idle.fill(None);
        }
        let lost = std::mem::take(&mut state.queue);
        // Jobs run foreign code when they are dropped, so not under the lock.
        drop(state);
        drop(lost);
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
