//! A work of the original layout, or of ours, on a cluster that exists for its marking:
//! its own manifests, asked and broken through plain kubectl.

mod deploy;
mod deployed;
mod examiner;
mod jobs;
mod site;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use terms::tr;

use super::lab::{Lab, Listing, Wish};
use crate::context::Context;
use crate::engine::k3d::apart::Apart;
use crate::marking::facts::{Choice, JobEnd};
use crate::marking::repository::layout::{Layout, mounts, pod_spec};
use crate::marking::repository::points;
use crate::names::{BACKUP_CLAIM, CRON_JOB, DATA_CLAIM, DEPLOYMENT};
use crate::wait;
use deployed::Deployed;

pub use site::ClusterLab;

impl ClusterLab {
    /// Builds, imports and deploys the work on a new cluster.
    pub fn up(ctx: &Context, root: &Path, scratch: &Path, layout: Layout) -> Result<Self> {
        let apart = Apart::create(ctx, &scratch.join("cluster"))?;
        let jobs = points::restore_jobs(&layout);
        let namespace = namespace_of(&layout);
        let mut lab = Self {
            kubectl: apart.kubectl(&namespace)?,
            ctx: ctx.clone(),
            forward: None,
            apart,
            root: root.to_path_buf(),
            scratch: scratch.to_path_buf(),
            choice: points::choice(&layout, &jobs),
            restore: jobs.into_iter().next(),
            layout,
            deployed: Deployed::default(),
            deployment: DEPLOYMENT.to_owned(),
            replicas: 1,
            cron_job: CRON_JOB.to_owned(),
            serial: Cell::new(0),
        };
        lab.deploy()?;
        lab.find_objects()?;
        lab.wait_until_ready()?;
        lab.examine()?;
        Ok(lab)
    }

    /// How the work came onto the cluster.
    pub fn deployed(&self) -> &Deployed {
        &self.deployed
    }
}

/// The namespace that the manifests state most.
fn namespace_of(layout: &Layout) -> String {
    let named = layout.of_kind("Deployment").filter_map(|one| {
        let namespace = one.value["metadata"]["namespace"].as_str()?;
        Some((mounts(&one.value, DATA_CLAIM), namespace.to_owned()))
    });
    let best = named.max_by_key(|(mounts, _)| *mounts);
    best.map_or_else(|| "pra".to_owned(), |(_, name)| name)
}

impl Lab for ClusterLab {
    fn place(&self) -> String {
        let (name, how) = (&self.apart.name, self.deployed.told());
        tr!(
            "k3d cluster {name} (one node), {how}",
            "cluster k3d {name} (un nœud), {how}"
        )
    }

    fn beyond(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn url(&mut self) -> Result<String> {
        if let Some(forward) = &self.forward {
            let url = format!("http://127.0.0.1:{}", forward.port);
            if crate::http::responds(&url) {
                return Ok(url);
            }
        }
        self.forward = None;
        let forward = self.forward_to()?;
        let url = format!("http://127.0.0.1:{}", forward.port);
        self.forward = Some(forward);
        Ok(url)
    }

    fn schedule(&self) -> Result<String> {
        let cron_job = self.get(&["cronjob", &self.cron_job])?;
        let schedule = cron_job["spec"]["schedule"].as_str();
        Ok(schedule.unwrap_or_default().to_owned())
    }

    fn scheduled_at(&self, had_by: f64) -> Result<Option<f64>> {
        self.scheduled_job_at(had_by)
    }

    fn suspend(&self, suspend: bool) -> Result<()> {
        let patch = format!("{{\"spec\":{{\"suspend\":{suspend}}}}}");
        self.read(["patch", "cronjob", &self.cron_job, "-p", &patch])?;
        self.await_scheduled_jobs()
    }

    fn mounts_backup(&self) -> Result<bool> {
        Ok(mounts(&self.application()?, BACKUP_CLAIM))
    }

    fn copies_plainly(&self) -> bool {
        let cron_job = self.get(&["cronjob", &self.cron_job]).unwrap_or_default();
        let spec = pod_spec(&cron_job).to_string();
        spec.contains("cp /") || spec.contains("cp -")
    }

    fn backups(&self) -> Result<Listing> {
        self.list_backups()
    }

    fn fetch_backup(&self, name: &str, into: &Path) -> Result<()> {
        self.fetch_file(&format!("/backup/{name}"), into)
    }

    fn fetch_database(&self, into: &Path) -> Result<PathBuf> {
        self.fetch_data(into)
    }

    fn set_modified(&self, name: &str, at: f64) -> Result<()> {
        let (at, file) = (format!("@{at:.0}"), format!("/backup/{name}"));
        self.at_the_volumes(&["touch", "-d", &at, &file]).map(drop)
    }

    fn run_backup(&self) -> Result<JobEnd> {
        self.run_cron_job()
    }

    fn kill_pod(&self) -> Result<()> {
        let selector = self.selector()?;
        let pods = self.get(&["pods", "-l", &selector])?;
        let pod = pods["items"][0]["metadata"]["name"].as_str();
        let pod = pod.context("there is no pod to kill")?.to_owned();
        let delete = ["delete", "pod", &pod, "--grace-period=1", "--wait=true"];
        self.ctx
            .exec
            .read(&self.cmd(delete).limit(wait::DELETION))?;
        Ok(())
    }

    fn hide_database(&self) -> Result<()> {
        self.stop()?;
        self.hide()
    }

    fn show_database(&self) -> Result<()> {
        self.show()?;
        self.scale(self.replicas)?;
        self.wait_until_ready()
    }

    fn lose_data(&self) -> Result<()> {
        self.stop()?;
        self.read(["delete", "jobs", "--all", "--cascade=foreground"])?;
        self.end_examiner()?;
        let delete = ["delete", "persistentvolumeclaim", DATA_CLAIM, "--wait=true"];
        self.ctx
            .exec
            .read(&self.cmd(delete).limit(wait::DELETION))?;
        Ok(())
    }

    fn recreate(&self) -> Result<()> {
        self.apply_again()?;
        self.wait_until_ready()?;
        self.examine()
    }

    fn restore(&self, wish: &Wish) -> Result<JobEnd> {
        self.run_restore(wish)
    }

    fn choice(&self) -> Choice {
        self.choice.0.clone()
    }

    fn procedure(&self) -> Option<String> {
        let job = self.restore.as_ref()?;
        points::again(&self.layout, job)
    }

    fn spellings(&self, point: &str) -> Vec<String> {
        match &self.choice {
            (choice, Some(job)) => points::spellings(choice, job, point),
            _ => Vec::new(),
        }
    }
}
