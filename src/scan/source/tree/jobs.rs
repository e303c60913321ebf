//! What some threads leave to others. Of a few jobs each takes one at a time, for a job can be a file of any size.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The share of all jobs that one thread takes at most.
const SHARES: usize = 32;
const MOST_AT_ONCE: usize = 32;

/// Jobs in the order in which they came.
pub(super) struct Jobs<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    is_closed: bool,
}

impl<T> State<T> {
    /// As many as leave some to all others, until a few are left.
    fn take(&mut self) -> Vec<T> {
        let few = (self.waiting.len() / SHARES).clamp(1, MOST_AT_ONCE);
        self.waiting.drain(..few.min(self.waiting.len())).collect()
    }
}

impl<T> Jobs<T> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                is_closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Leaves jobs to whoever comes next. Several at once, so that threads seldom wake each other.
    pub(super) fn add(&self, jobs: &mut Vec<T>) {
        self.state().waiting.extend(jobs.drain(..));
        self.changed.notify_all();
    }

    /// Says that no more will come.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// The next jobs, waited for; none when no more will come.
    pub(super) fn next(&self) -> Vec<T> {
        let state = self.state();
        let mut state = self
            .changed
            .wait_while(state, |state| state.waiting.is_empty() && !state.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.take()
    }

    /// The next jobs, if so many wait.
    pub(super) fn next_of(&self, many: usize) -> Vec<T> {
        let mut state = self.state();
        if state.waiting.len() < many {
            return Vec::new();
        }
        state.take()
    }

    /// Jobs are whole also where a thread has panicked.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
