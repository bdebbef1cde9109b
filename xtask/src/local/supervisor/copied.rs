//! What copies the lab elsewhere, brought to what is wanted of it.

use super::Supervisor;
use crate::local::copying::Copying;

impl Supervisor {
    pub(super) fn keep_copying(&mut self) {
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
}
