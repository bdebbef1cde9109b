use super::*;
pub struct LocalEngine;
impl LocalEngine {
    pub fn new(_: &Context) -> Self {
        Self
    }
}
impl Engine for LocalEngine {
    fn name(&self) -> &'static str {
        todo!()
    }
    fn facts(&self) -> Result<Facts> {
        todo!()
    }
    fn up(&self) -> Result<()> {
        todo!()
    }
    fn down(&self) -> Result<()> {
        todo!()
    }
    fn apply(&self) -> Result<()> {
        todo!()
    }
    fn scale(&self, _: u32) -> Result<()> {
        todo!()
    }
    fn suspend_backups(&self, _: bool) -> Result<()> {
        todo!()
    }
    fn delete_jobs(&self) -> Result<()> {
        todo!()
    }
    fn delete_volume(&self, _: &str) -> Result<()> {
        todo!()
    }
    fn run_job(&self, _: &str, _: &JobSource) -> Result<Option<JobOutcome>> {
        todo!()
    }
    fn pra(&self, _: &[&str]) -> Result<Output> {
        todo!()
    }
    fn kill(&self, _: &str, _: Death) -> Result<()> {
        todo!()
    }
}
