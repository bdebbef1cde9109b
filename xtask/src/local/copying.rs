//! What copies the backup volume to another place all the time: `python -m pra offsite ship`, with
//! the settings of a replica.

use std::sync::Arc;
use std::time::Duration;

use crate::exec::environment;
use crate::facts::offsite::Shipping;
use crate::offsite::PLACE;

use super::kept::Kept;
use super::launch;
use super::release::Release;
use super::shared::Shared;

/// The name of its pod.
pub const NAME: &str = "offsite";
/// For the step that is under way.
const GRACE: Duration = Duration::from_secs(10);

pub struct Copying {
    /// What it began with.
    release: Arc<Release>,
    shipper: Kept,
}

impl Copying {
    pub fn begin(shared: &Shared) -> Self {
        let release = Arc::clone(&shared.release);
        let set: Vec<_> = release.settings.clone().into_iter().collect();
        let (workspace, manifests) = (&shared.workspace, &shared.manifests);
        let mut launch = launch::launch(workspace, manifests, &release.pod, NAME, &set);
        launch.cmd.args = ["-m", "pra", "offsite", "ship"].map(str::to_owned).into();
        // As they are: a folder of this machine is no mount of the pod.
        let copies = shared.desired.copying.iter();
        let settings = copies.flat_map(|copies| &copies.settings);
        launch
            .cmd
            .env
            .extend(settings.map(|(name, value)| (name.clone(), value.clone())));
        launch.cmd = launch.cmd.secrets(environment::of_the_store());
        Self {
            release,
            shipper: Kept::begin(NAME, launch, GRACE, shared),
        }
    }

    /// It runs as it would be begun now.
    pub fn is_current(&self, shared: &Shared) -> bool {
        shared.desired.copying.is_some() && self.release == shared.release
    }

    pub fn is_gone(&self) -> bool {
        self.shipper.is_gone()
    }

    pub fn facts(&self) -> Shipping {
        let place = self.release.settings.get(PLACE);
        Shipping {
            place: place.cloned().unwrap_or_default(),
            running: self.shipper.is_running(),
            trouble: self.shipper.trouble(),
        }
    }

    pub fn stop(&mut self) {
        self.shipper.stop();
    }

    /// Does what is due.
    pub fn advance(&mut self, shared: &Shared) {
        self.shipper.advance(shared);
    }
}
