use crate::{cli::LocalAction, context::Context};
use anyhow::Result;
pub fn run(_: &Context, _: &LocalAction) -> Result<()> {
    todo!()
}
