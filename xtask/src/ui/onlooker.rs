//! Who is told of steps, beside the reader.

/// What an onlooker is told of steps.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    Began(&'a str),
    /// With what came of it.
    Ended(&'a str, &'a str),
}

pub type Onlooker = Box<dyn Fn(Told<'_>) + Send + Sync>;
