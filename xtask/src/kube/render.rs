//! The manifests as a cluster of somebody else gets them: rendered by `kubectl kustomize`
//! into files of their own. Those of the checkout stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use super::Kube;
use super::image::pushed;
use super::jobs::RESTORE_FILE;
use super::rendering::{Rendering, ingress};
use crate::config::Reach;
use crate::exec::{self, Cmd, Piped, quote_path};
use crate::tools::kube_diff;
use crate::workspace;

/// Stands for the tag of an image that was not pushed yet, where a policy is asked about it.
const NOT_PUSHED: &str = "not-pushed-yet";
/// What a lab that may use one namespace of a cluster is given, and does not make.
const ADMINISTERED: [&str; 4] = ["Namespace", "LimitRange", "ResourceQuota", "Role"];

/// The kustomization of some files, and what lies beside it.
fn sources(
    rendering: &Rendering,
    files: &[PathBuf],
    more: Option<Value>,
    folder: &Path,
    tag: String,
) -> Result<Vec<(PathBuf, String)>> {
    let mut files = files.to_vec();
    let more = more.map(|one| (folder.join("more.yaml"), one.to_string()));
    files.extend(more.iter().map(|(path, _)| path.clone()));
    let text = rendering.kustomization(&files, tag)?;
    let mut all = vec![(folder.join("kustomization.yaml"), text)];
    all.extend(more);
    Ok(all)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

impl Kube {
    /// The manifests without what is for the cluster's administrators to decide; the
    /// namespace is marked in a way of its own.
    fn files_to_render(&self) -> Result<Vec<PathBuf>> {
        let settings = self.rendering.as_ref().map(|one| &one.settings);
        let open = settings.is_some_and(|one| !one.network_policies);
        let left_out = |one: &Value| {
            ADMINISTERED.iter().any(|kind| one["kind"] == *kind)
                || (open && one["kind"] == "NetworkPolicy")
        };
        let mut chosen = Vec::new();
        for file in self.source_files()? {
            let documents = kube_diff::documents(&read(&file)?)?;
            if !documents.iter().all(left_out) {
                chosen.push(file);
            }
        }
        Ok(chosen)
    }

    /// The labels of the namespace as the manifests declare them.
    pub fn labels_of_namespace(&self) -> Result<Map<String, Value>> {
        for file in self.source_files()? {
            let documents = kube_diff::documents(&read(&file)?)?;
            let mut namespaces = documents.iter().filter(|one| one["kind"] == "Namespace");
            if let Some(labels) = namespaces.find_map(|one| one["metadata"]["labels"].as_object()) {
                return Ok(labels.clone());
            }
        }
        Ok(Map::new())
    }

    /// The manifests, rendered into a folder of their own; the files themselves where nothing
    /// is to be changed.
    pub(super) fn rendered_folder(&self) -> Result<PathBuf> {
        let Some(rendering) = &self.rendering else {
            return Ok(self.source());
        };
        let chosen = self.files_to_render()?;
        let more = self.more(rendering);
        let folder = rendering.folder.join("applied");
        self.render(rendering, &chosen, more, &folder.join("lab.yaml"))?;
        Ok(folder)
    }

    /// One file, rendered; the file itself where nothing is to be changed.
    pub(super) fn rendered_file(&self, file: PathBuf) -> Result<PathBuf> {
        let Some(rendering) = &self.rendering else {
            return Ok(file);
        };
        let name = file.file_name().unwrap_or_default();
        let result = rendering.folder.join("pra").join(name);
        self.render(rendering, &[file], None, &result)?;
        Ok(result)
    }

    /// What one file says once it is rendered, also in a dry run, which writes nothing of
    /// the lab.
    pub(super) fn rendered_text(&self, file: PathBuf) -> Result<String> {
        match self.rendering.as_ref().filter(|_| self.ctx.exec.dry_run()) {
            Some(rendering) => self.rendered_aside(rendering, &[file], None),
            None => read(&self.rendered_file(file)?),
        }
    }

    /// All that the lab is made of, as the cluster would get it; writes nothing of the lab.
    pub fn objects(&self) -> Result<Vec<Value>> {
        let mut files = self.files_to_render()?;
        if self.workload.database.is_none() {
            files.push(self.path(RESTORE_FILE));
        }
        let text = match &self.rendering {
            Some(rendering) => self.rendered_aside(rendering, &files, self.more(rendering))?,
            None => {
                let texts = files.iter().map(|file| read(file));
                texts.collect::<Result<Vec<_>>>()?.join("\n---\n")
            }
        };
        kube_diff::documents(&text)
    }

    fn rendered_aside(
        &self,
        rendering: &Rendering,
        files: &[PathBuf],
        more: Option<Value>,
    ) -> Result<String> {
        let aside = format!(
            "atelier-pra-{}-{:08x}",
            std::process::id(),
            fastrand::u32(..)
        );
        let aside = std::env::temp_dir().join(aside);
        let sources = sources(rendering, files, more, &aside, self.unknown_tag())?;
        let rendered = self.build(&sources, &aside);
        fs::remove_dir_all(&aside).with_context(|| format!("removing {}", aside.display()))?;
        rendered
    }

    /// From here on the image is one that a dry run has shown the push of.
    pub fn expect_push(&self) {
        if let Some(rendering) = &self.rendering {
            rendering.pushes.store(true, Ordering::Relaxed);
        }
    }

    fn unknown_tag(&self) -> String {
        match self.ctx.exec.dry_run() {
            true => exec::variable(pushed::TAG),
            false => NOT_PUSHED.to_owned(),
        }
    }

    /// What the cluster gets beside the files.
    fn more(&self, rendering: &Rendering) -> Option<Value> {
        let port = self.workload.ports.first()?;
        let is_declared = rendering.settings.service == Reach::Ingress;
        is_declared.then(|| ingress(&rendering.settings, port.service))
    }

    /// Writes the result of a kustomization, which a dry run shows.
    fn render(
        &self,
        rendering: &Rendering,
        files: &[PathBuf],
        more: Option<Value>,
        result: &Path,
    ) -> Result<()> {
        let folder = result.with_extension("kustomize");
        let sources = sources(rendering, files, more, &folder, self.unknown_tag())?;
        if self.ctx.exec.dry_run() {
            return self.show_rendering(rendering, &sources, result);
        }
        let rendered = self.build(&sources, &folder)?;
        if fs::read_to_string(result).is_ok_and(|before| before == rendered) {
            return Ok(());
        }
        let parent = result.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        workspace::write_file(result, &rendered)
    }

    fn build(&self, sources: &[(PathBuf, String)], folder: &Path) -> Result<String> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        for (path, text) in sources {
            workspace::write_file(path, text)?;
        }
        self.ctx.exec.read(&self.kustomize(folder)?)
    }

    fn kustomize(&self, folder: &Path) -> Result<Cmd> {
        let words = ["kustomize", "--load-restrictor", "LoadRestrictionsNone"];
        let program = self.kubectl()?.program;
        let cmd = Cmd::new(program).args(words);
        Ok(cmd.args([folder.to_string_lossy()]))
    }

    /// The same as shell, once.
    fn show_rendering(
        &self,
        rendering: &Rendering,
        sources: &[(PathBuf, String)],
        result: &Path,
    ) -> Result<()> {
        let mut shown = rendering
            .shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if shown.iter().any(|one| one == result) {
            return Ok(());
        }
        shown.push(result.to_owned());
        let folder = result.with_extension("kustomize");
        let parent = result.parent().unwrap_or(&folder);
        let places = format!("{} {}", quote_path(&folder), quote_path(parent));
        self.ctx.exec.show(&format!("mkdir -p {places}"));
        for (path, text) in sources {
            let write =
                Cmd::new("dd").args([format!("of={}", path.display()), "status=none".to_owned()]);
            self.ctx.exec.show(&write.input(text.clone()).to_string());
        }
        let build = self
            .kustomize(&folder)?
            .file(Piped::Into(result.to_owned()));
        self.ctx.exec.show(&build.to_string());
        Ok(())
    }
}
