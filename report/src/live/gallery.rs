//! The newest picture, and those who wait for it. Who is slow gets the newest one when it is
//! their turn, and never those in between.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long those who watch have for the last picture.
const LAST: Duration = Duration::from_secs(10);
/// As many as a class has.
const MOST: usize = 64;

#[derive(Default)]
pub struct Gallery {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    newest: Arc<str>,
    number: u64,
    /// There will be no other one.
    last: bool,
    viewers: usize,
}

/// A picture, by its number.
pub struct Shown {
    pub picture: Arc<str>,
    pub number: u64,
    pub last: bool,
}

impl Gallery {
    pub fn show(&self, picture: String) {
        self.put(picture, false);
    }

    pub fn show_last(&self, picture: String) {
        self.put(picture, true);
    }

    fn put(&self, picture: String, last: bool) {
        let mut state = self.lock();
        state.newest = picture.into();
        state.number += 1;
        state.last = last;
        self.changed.notify_all();
    }

    /// The newest picture.
    pub fn newest(&self) -> Shown {
        shown(&self.lock())
    }

    /// Waits for a picture that is newer than that one; `None` where none comes for a while.
    pub fn after(&self, number: u64, wait: Duration) -> Option<Shown> {
        let older = |state: &mut State| state.number <= number;
        let waited = self.changed.wait_timeout_while(self.lock(), wait, older);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (state.number > number).then(|| shown(&state))
    }

    /// Lets one more watch, unless there are too many.
    pub fn enter(self: &Arc<Self>) -> Option<Viewer> {
        let mut state = self.lock();
        if state.viewers >= MOST {
            return None;
        }
        state.viewers += 1;
        Some(Viewer(Arc::clone(self)))
    }

    pub fn has_viewers(&self) -> bool {
        self.lock().viewers > 0
    }

    /// Waits until nobody watches any more: each leaves with the last picture.
    pub fn until_all_have_it(&self) {
        let watched = |state: &mut State| state.viewers > 0;
        let waited = self.changed.wait_timeout_while(self.lock(), LAST, watched);
        drop(waited);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(state: &State) -> Shown {
    Shown {
        picture: Arc::clone(&state.newest),
        number: state.number,
        last: state.last,
    }
}

/// Somebody who watches, until it is dropped.
pub struct Viewer(Arc<Gallery>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.lock().viewers -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn who_was_slow_gets_the_newest_picture_alone() {
        let gallery = Arc::new(Gallery::default());
        gallery.show("one".to_owned());
        let first = gallery.newest();
        assert!(gallery.after(first.number, AT_ONCE).is_none());
        gallery.show("two".to_owned());
        gallery.show_last("three".to_owned());
        let next = gallery.after(first.number, AT_ONCE).unwrap();
        assert_eq!((&*next.picture, next.last), ("three", true));
    }

    #[test]
    fn so_many_watch_and_no_more_until_one_leaves() {
        let gallery = Arc::new(Gallery::default());
        let mut viewers: Vec<_> = (0..MOST).map(|_| gallery.enter().unwrap()).collect();
        assert!(gallery.enter().is_none());
        viewers.pop();
        assert!(gallery.enter().is_some());
        assert!(gallery.has_viewers());
        drop(viewers);
        assert!(!gallery.has_viewers());
        gallery.until_all_have_it();
    }
}
