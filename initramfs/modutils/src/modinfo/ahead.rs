//! Work on several cores whose results are used in order.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Results that may wait to be used, for each core: few enough to bound the memory, and enough that the others do not
/// idle while one works on something that takes a few hundred times longer than usual.
const AHEAD: usize = 512;

/// Works on each item and hands the results to `take` in the items' order. The caller's own thread works too, so
/// that one core needs no other.
pub(super) fn in_order<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync, mut take: impl FnMut(R)) {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let queue = Queue { items, cores, state: Mutex::default(), change: Condvar::new() };
    thread::scope(|scope| {
        for _ in 1..cores {
            // Without further threads it takes longer, nothing else.
            let _ = thread::Builder::new().spawn_scoped(scope, || queue.help(&work));
        }
        for at in 0..items.len() {
            take(queue.result(at, &work));
        }
    });
}

struct Queue<'a, T, R> {
    items: &'a [T],
    cores: usize,
    state: Mutex<State<R>>,
    change: Condvar,
}

struct State<R> {
    /// The first item that nobody works on yet.
    next: usize,
    /// The first item whose result has not been used.
    wanted: usize,
    done: BTreeMap<usize, R>,
}

impl<R> Default for State<R> {
    fn default() -> Self {
        Self { next: 0, wanted: 0, done: BTreeMap::new() }
    }
}

impl<T, R> Queue<'_, T, R> {
    /// Works until no item is left.
    fn help(&self, work: &impl Fn(&T) -> R) {
        let mut state = self.lock();
        while state.next < self.items.len() {
            state = if self.may_start(&state) {
                self.work_once(state, work)
            } else {
                self.change.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// The result for an item; until it is there, others are worked on.
    fn result(&self, at: usize, work: &impl Fn(&T) -> R) -> R {
        let mut state = self.lock();
        state.wanted = at;
        self.change.notify_all();
        loop {
            if let Some(result) = state.done.remove(&at) {
                return result;
            }
            state = if self.may_start(&state) {
                self.work_once(state, work)
            } else {
                self.change.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    fn may_start(&self, state: &State<R>) -> bool {
        state.next < self.items.len() && state.next < state.wanted + AHEAD * self.cores
    }

    fn work_once<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<R>>,
        work: &impl Fn(&T) -> R,
    ) -> MutexGuard<'s, State<R>> {
        let at = state.next;
        state.next += 1;
        drop(state);
        let result = work(&self.items[at]);
        let mut state = self.lock();
        state.done.insert(at, result);
        self.change.notify_all();
        state
    }

    /// Nothing that can panic runs under the lock.
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_however_long_each_takes() {
        let items: Vec<u64> = (0..200).collect();
        let mut taken = Vec::new();
        in_order(
            &items,
            |item| (0..(item * 7919) % 5000).fold(*item, |sum, more| sum ^ more ^ more),
            |sum| taken.push(sum),
        );
        assert_eq!(taken, items);
        in_order(&[(); 0], |()| (), |()| panic!("there is nothing to take"));
    }
}
