//! The volumes of a lab, by what lies on them.

/// One of the volumes that a database lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volume {
    Data,
    Backup,
}

impl Volume {
    pub const ALL: [Self; 2] = [Self::Data, Self::Backup];
}
