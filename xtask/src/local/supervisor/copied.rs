//! What copies the lab elsewhere, and the store that it copies to where that is the lab's own,
//! brought to what is wanted of them.

use super::Supervisor;
use crate::facts::offsite::Shipping;
use crate::local::copying::Copying;
use crate::local::storing::Storing;

impl Supervisor {
    pub(super) fn keep_copies(&mut self) {
        self.keep_store();
        self.keep_copying();
    }

    pub(super) fn stop_copies(&mut self) {
        if let Some(copying) = &mut self.copying {
            copying.stop();
        }
        if let Some(storing) = &mut self.storing {
            storing.store.stop();
        }
    }

    pub(super) fn makes_no_copies(&self) -> bool {
        self.copying.is_none() && self.storing.is_none()
    }

    /// What copies; that its store does not run is the reason to be told first.
    pub(super) fn shipping(&self) -> Option<Shipping> {
        let mut shipping = self.copying.as_ref()?.facts();
        let of_the_store = self.storing.as_ref().and_then(|one| one.store.trouble());
        shipping.trouble = of_the_store.or(shipping.trouble);
        Some(shipping)
    }

    fn keep_copying(&mut self) {
        if let Some(copying) = &mut self.copying {
            if !copying.is_current(&self.shared) {
                copying.stop();
            }
            copying.advance(&self.shared);
            if !copying.is_gone() {
                return;
            }
            self.copying = None;
        }
        if self.shared.desired.copying.is_some() && !self.stopping {
            self.copying = Some(Copying::begin(&self.shared));
        }
    }

    fn keep_store(&mut self) {
        let copies = self.shared.desired.copying.as_ref();
        let wanted = copies.and_then(|copies| copies.store.as_ref());
        if let Some(storing) = &mut self.storing {
            if wanted != Some(&storing.wanted) {
                storing.store.stop();
            }
            storing.store.advance(&self.shared);
            if !storing.store.is_gone() {
                return;
            }
            self.storing = None;
        }
        if let Some(wanted) = wanted.filter(|_| !self.stopping) {
            self.storing = Some(Storing::begin(wanted, &self.shared));
        }
    }
}
