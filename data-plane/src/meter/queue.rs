//! Who waits for room in one limit, in which order. Knows no limits and no clock.
//!
//! Within a class it is first come, first served, and the normal class goes before the low
//! one. Nobody overtakes: who is *called* may try to take, and is only called when all
//! before them are; the first may always.

use std::{collections::VecDeque, sync::Arc};
use tokio::sync::Notify;

/// Most that wait for one limit on one proxy.
pub(super) const LONGEST: usize = 1_024;

/// Most that is wanted at once for requests that do not wait.
const MOST_WISHES: usize = 64;

/// Whose turn comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// First.
    #[default]
    Normal,
    /// When nobody of the others waits.
    Low,
}

/// Who waits for one limit.
#[derive(Debug, Default)]
pub(super) struct Queue {
    normal: VecDeque<Waiter>,
    low: VecDeque<Waiter>,
    numbers: u64,
    /// What is wanted for requests that went on without.
    wishes: Vec<u64>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    milli: u64,
    called: bool,
    wake: Arc<Notify>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.normal.len().saturating_add(self.low.len())
    }

    /// Whether nobody waits, and nothing is wanted.
    pub(super) fn is_idle(&self) -> bool {
        self.len() == 0 && self.wishes.is_empty()
    }

    /// So much is wanted by one who does not wait. Says whether it is noted.
    pub(super) fn wish(&mut self, milli: u64) -> bool {
        let noted = self.wishes.len() < MOST_WISHES;
        if noted {
            self.wishes.push(milli);
        }
        noted
    }

    pub(super) fn take_wishes(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.wishes)
    }

    /// Whether a newcomer of this class would overtake somebody.
    pub(super) fn is_before(&self, priority: Priority) -> bool {
        !self.normal.is_empty() || (priority == Priority::Low && !self.low.is_empty())
    }

    /// Stands at the end of a class; gives the number that leaves again. `None`: too many
    /// wait already.
    pub(super) fn join(
        &mut self,
        priority: Priority,
        milli: u64,
        wake: Arc<Notify>,
    ) -> Option<u64> {
        if LONGEST <= self.len() {
            return None;
        }
        self.numbers = self.numbers.saturating_add(1);
        let waiter = Waiter { number: self.numbers, milli, called: false, wake };
        match priority {
            Priority::Normal => self.normal.push_back(waiter),
            Priority::Low => self.low.push_back(waiter),
        }
        Some(self.numbers)
    }

    /// Whether this one may try: the first of all whenever it likes, others when they and
    /// all before them are called.
    pub(super) fn is_turn(&self, number: u64) -> bool {
        for (before, waiter) in self.normal.iter().chain(&self.low).enumerate() {
            if waiter.number == number {
                return before == 0 || waiter.called;
            }
            if !waiter.called {
                return false;
            }
        }
        false
    }

    /// This one tried in vain: it waits on where it stood.
    pub(super) fn missed(&mut self, number: u64) {
        let mut all = self.normal.iter_mut().chain(&mut self.low);
        if let Some(waiter) = all.find(|it| it.number == number) {
            waiter.called = false;
        }
    }

    /// This one waits no more.
    pub(super) fn leave(&mut self, number: u64) {
        self.normal.retain(|it| it.number != number);
        self.low.retain(|it| it.number != number);
    }

    /// Calls the first of all, whatever lies ready: to look for itself.
    pub(super) fn call_first(&mut self) {
        if let Some(first) = self.normal.iter_mut().chain(&mut self.low).next() {
            first.call();
        }
    }

    /// Calls all to come and see: there is nothing to wait for any more.
    pub(super) fn call_all(&mut self) {
        self.normal.iter_mut().chain(&mut self.low).for_each(Waiter::call);
    }

    /// Calls, in their order, as many as can share what lies ready.
    pub(super) fn call(&mut self, ready_milli: i64) {
        let mut left = u64::try_from(ready_milli).unwrap_or(0);
        for waiter in self.normal.iter_mut().chain(&mut self.low) {
            let Some(rest) = left.checked_sub(waiter.milli) else { return };
            left = rest;
            waiter.call();
        }
    }
}

impl Waiter {
    fn call(&mut self) {
        if !self.called {
            self.called = true;
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(queue: &mut Queue, priority: Priority, milli: u64) -> u64 {
        queue.join(priority, milli, Arc::default()).unwrap()
    }

    fn called(queue: &Queue, numbers: &[u64]) -> Vec<bool> {
        numbers.iter().map(|it| queue.is_turn(*it)).collect()
    }

    #[test]
    fn the_normal_class_goes_first_and_within_a_class_who_came_first() {
        let mut queue = Queue::default();
        let low = join(&mut queue, Priority::Low, 10);
        let first = join(&mut queue, Priority::Normal, 10);
        let second = join(&mut queue, Priority::Normal, 10);
        queue.call(20);
        assert_eq!(called(&queue, &[first, second, low]), [true, true, false]);
        queue.leave(first);
        queue.call(20);
        assert_eq!(called(&queue, &[second, low]), [true, true]);
    }

    #[test]
    fn a_small_one_does_not_pass_a_large_one_that_was_first() {
        let mut queue = Queue::default();
        let large = join(&mut queue, Priority::Normal, 100);
        let small = join(&mut queue, Priority::Normal, 1);
        queue.call(99);
        assert_eq!(called(&queue, &[large, small]), [true, false], "the first may always");
        queue.call(101);
        assert_eq!(called(&queue, &[large, small]), [true, true]);
        queue.missed(large);
        assert_eq!(called(&queue, &[large, small]), [true, false], "nor after the large missed");
    }

    #[test]
    fn a_newcomer_overtakes_only_a_lower_class() {
        let mut queue = Queue::default();
        assert!(!queue.is_before(Priority::Normal) && !queue.is_before(Priority::Low));
        let low = join(&mut queue, Priority::Low, 1);
        assert!(!queue.is_before(Priority::Normal) && queue.is_before(Priority::Low));
        queue.call_first();
        assert!(queue.is_turn(low));
        let normal = join(&mut queue, Priority::Normal, 1);
        assert_eq!(called(&queue, &[normal, low]), [true, false], "its turn is over again");
    }

    #[test]
    fn there_is_a_longest_queue() {
        let mut queue = Queue::default();
        for _ in 0..LONGEST {
            join(&mut queue, Priority::Normal, 1);
        }
        assert_eq!(queue.join(Priority::Normal, 1, Arc::default()), None);
        queue.leave(1);
        assert_eq!(queue.len(), LONGEST - 1);
        join(&mut queue, Priority::Low, 1);
    }
}
