//! The writes of a client that are not ended: due for the first time, or to be sent again
//! at a later moment.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use super::observed::Attempt;

/// A write from its moment to its end; times in seconds of the ledger's clock.
pub struct Write {
    pub n: usize,
    /// When it was meant to be sent.
    pub due: f64,
    /// When it was sent first.
    pub sent: Option<f64>,
    /// The sendings that failed.
    pub failed: Vec<Attempt>,
    /// At its moment as many requests were under way as this client can have.
    pub held_back: bool,
}

impl Write {
    pub fn new(n: usize, due: f64) -> Self {
        Self {
            n,
            due,
            sent: None,
            failed: Vec::new(),
            held_back: false,
        }
    }
}

/// What is to be done next.
pub enum Next {
    Send(Write),
    /// Nothing before this moment.
    At(f64),
    /// Nothing, until something else happens.
    Idle,
    /// Nothing any more.
    Over,
}

#[derive(Default)]
pub struct Queue {
    first: VecDeque<Write>,
    again: BinaryHeap<Later>,
    /// Writes that were taken from here and have not come back or ended.
    under_way: usize,
    /// Nothing more will be due.
    over: bool,
    /// Nor is anything to be sent again.
    abandoned: bool,
}

impl Queue {
    pub fn due(&mut self, write: Write) {
        self.first.push_back(write);
    }

    /// It failed, and is to be sent again at a moment; not where nobody asks for it any
    /// more.
    pub fn again(&mut self, write: Write, at: f64) {
        self.under_way -= 1;
        if !self.abandoned {
            self.again.push(Later { at, write });
        }
    }

    pub fn ended(&mut self) {
        self.under_way -= 1;
    }

    /// Nothing more will be due for the first time.
    pub fn close(&mut self) {
        self.over = true;
    }

    /// Forgets what is not under way, and what is as soon as it has failed.
    pub fn abandon(&mut self) {
        self.over = true;
        self.abandoned = true;
        self.first.clear();
        self.again.clear();
    }

    /// Whether there is something to be sent, now or at a later moment.
    pub fn waits(&self) -> bool {
        !self.first.is_empty() || !self.again.is_empty()
    }

    /// How many could be sent now.
    pub fn ready(&self, now: f64) -> usize {
        // An estimate of the retries will do: one at a time is looked at.
        self.first.len() + usize::from(self.again.peek().is_some_and(|one| one.at <= now))
    }

    /// Whoever waits for the first time goes before whoever was sent already: a measure
    /// of the service has to begin at its moment.
    pub fn next(&mut self, now: f64) -> Next {
        if let Some(write) = self.first.pop_front() {
            self.under_way += 1;
            return Next::Send(write);
        }
        match self.again.peek().map(|one| one.at) {
            Some(at) if at > now => return Next::At(at),
            Some(_) => {}
            None if self.over && self.under_way == 0 => return Next::Over,
            None => return Next::Idle,
        }
        match self.again.pop() {
            Some(later) => {
                self.under_way += 1;
                Next::Send(later.write)
            }
            None => Next::Idle,
        }
    }
}

/// The earliest one is the greatest, as a heap gives the greatest first.
struct Later {
    at: f64,
    write: Write,
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at)
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Later {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(queue: &mut Queue, now: f64) -> Option<(usize, Write)> {
        match queue.next(now) {
            Next::Send(write) => Some((write.n, write)),
            _ => None,
        }
    }

    #[test]
    fn first_sendings_go_before_others_and_those_in_the_order_of_their_moments() {
        let mut queue = Queue::default();
        for n in 0..3 {
            queue.due(Write::new(n, 0.0));
        }
        let mut taken: Vec<Write> = (0..3).map(|_| sent(&mut queue, 0.0).unwrap().1).collect();
        assert!(matches!(queue.next(0.0), Next::Idle));
        queue.again(taken.remove(0), 2.0);
        queue.again(taken.remove(0), 1.0);
        assert!(matches!(queue.next(0.5), Next::At(at) if at == 1.0));
        queue.due(Write::new(3, 1.5));
        assert_eq!(queue.ready(1.5), 2);
        let order = [3.0, 3.0, 3.0].map(|now| sent(&mut queue, now).unwrap().0);
        assert_eq!(order, [3, 1, 0]);
    }

    #[test]
    fn it_is_over_when_nothing_is_due_nor_under_way_nor_to_come() {
        let mut queue = Queue::default();
        queue.due(Write::new(0, 0.0));
        queue.close();
        let (_, write) = sent(&mut queue, 0.0).unwrap();
        assert!(matches!(queue.next(0.0), Next::Idle));
        queue.again(write, 1.0);
        assert!(matches!(queue.next(0.0), Next::At(_)));
        sent(&mut queue, 1.0).unwrap();
        queue.ended();
        assert!(matches!(queue.next(1.0), Next::Over));
    }

    #[test]
    fn what_is_abandoned_is_not_sent() {
        let mut queue = Queue::default();
        for n in 0..2 {
            queue.due(Write::new(n, 0.0));
        }
        let (_, under_way) = sent(&mut queue, 0.0).unwrap();
        queue.abandon();
        assert!(matches!(queue.next(9.0), Next::Idle));
        queue.again(under_way, 1.0);
        assert!(matches!(queue.next(9.0), Next::Over));
    }
}
