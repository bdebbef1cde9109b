use crate::context::Context;
use anyhow::Result;
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum What {
    Build,
}
pub fn run(_: &Context, _: &[What]) -> Result<()> {
    todo!()
}
