//! The second workshop on a cluster of its own: built, deployed, looked at, broken, and
//! its page changed.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::building::{build_and_import, made_by, manifests, play, short};
use super::fault::{is_of_the_work, of_the_work};
use super::page_source::{entries, source, template};
use crate::context::Context;
use crate::engine::k3d::apart::Apart;
use crate::exec::{Cmd, Process};
use crate::http;
use crate::marking::page_facts::{Access, Changed, PageFacts};
use crate::marking::repository::layout::{Layout, Text, pod_spec};
use crate::marking::show::harmless;
use crate::wait;
use crate::workspace;

const ASKED: Duration = Duration::from_secs(60);
/// Where works have their playbook.
const PLAYBOOKS: &[&str] = &[
    "ansible/image.yml",
    "ansible/deploy.yml",
    "ansible/playbook.yml",
];

/// The lab under way.
pub struct PageLab<'a> {
    ctx: &'a Context,
    apart: Apart,
    root: &'a Path,
    scratch: &'a Path,
    layout: &'a Layout,
}

/// A deployment and the service that leads to it.
#[derive(Clone, Debug, Default)]
struct Served {
    namespace: String,
    deployment: String,
    service: String,
    port: u64,
    /// The port of the nodes that leads to it.
    node_port: Option<u64>,
}

/// Observes the work; what fails is a fact.
///
/// # Errors
/// There is no cluster to be had, or ctrl-C.
pub fn observe(ctx: &Context, root: &Path, scratch: &Path, layout: &Layout) -> Result<PageFacts> {
    let apart = Apart::create(ctx, &scratch.join("cluster"))?;
    let mut facts = PageFacts {
        place: tr!(
            "k3d cluster {name} (one node)",
            "cluster k3d {name} (un nœud)",
            name = apart.name
        ),
        entries: entries(layout),
        ..PageFacts::default()
    };
    let mut lab = PageLab {
        ctx,
        apart,
        root,
        scratch,
        layout,
    };
    match lab.begin(&mut facts) {
        Ok((served, template)) => {
            if let Err(error) = lab.course(&served, template.as_ref(), &mut facts) {
                wait::check_interrupt()?;
                ctx.ui.note(&harmless(&format!("{error:#}")));
                facts.stopped = Some(short(&error));
            }
        }
        Err(error) if is_of_the_work(&error) => {
            ctx.ui.note(&harmless(&format!("{error:#}")));
            facts.not_ready = Some(short(&error));
        }
        Err(error) => return Err(error),
    }
    Ok(facts)
}

impl PageLab<'_> {
    /// Builds and deploys, until its pods are ready.
    fn begin(&mut self, facts: &mut PageFacts) -> Result<(Served, Option<Text>)> {
        let template = template(self.layout).cloned();
        facts.template = template.as_ref().map(|template| template.path.clone());
        facts.source = source(self.root, self.layout, template.as_ref());
        self.build(template.as_ref(), facts)?;
        self.deploy(facts)?;
        let served = self.find(facts.image.as_deref())?;
        self.await_ready(&served).map_err(of_the_work)?;
        Ok((served, template))
    }

    /// What is tried of a page whose pods are ready.
    fn course(
        &mut self,
        served: &Served,
        template: Option<&Text>,
        facts: &mut PageFacts,
    ) -> Result<()> {
        self.look(served, facts);
        self.replace(served, facts)?;
        if facts.playbook.is_some() && facts.no_playbook.is_none() {
            let second = play(self.ctx, &self.apart, self.root, self.layout, PLAYBOOKS);
            wait::check_interrupt()?;
            facts.again = match second {
                Err(error) if !is_of_the_work(&error) => return Err(error),
                second => Some(second.is_ok()),
            };
        }
        facts.changed = Some(self.change(served, template, facts)?);
        Ok(())
    }

    fn build(&mut self, template: Option<&Text>, facts: &mut PageFacts) -> Result<()> {
        let image = template.and_then(|template| made_by(&template.text));
        let (Some(template), Some(image)) = (template, image) else {
            facts.no_image = Some(tr!(
                "there is no Packer template that names an image",
                "aucun modèle Packer ne nomme d'image"
            ));
            return Ok(());
        };
        let images = [image.clone()];
        match build_and_import(self.ctx, &mut self.apart, self.root, template, &images) {
            Ok(()) => facts.image = Some(image),
            Err(error) if !is_of_the_work(&error) => return Err(error),
            Err(error) => {
                wait::check_interrupt()?;
                facts.no_image = Some(short(&error));
            }
        }
        Ok(())
    }

    fn deploy(&self, facts: &mut PageFacts) -> Result<()> {
        match play(self.ctx, &self.apart, self.root, self.layout, PLAYBOOKS) {
            Ok(path) => facts.playbook = Some(path),
            Err(error) if !is_of_the_work(&error) => return Err(error),
            Err(error) => {
                wait::check_interrupt()?;
                facts.no_playbook = Some(short(&error));
                for file in manifests(self.layout) {
                    let path = self.root.join(file);
                    let apply = self.cmd("default", ["apply", "-f", &path.to_string_lossy()])?;
                    self.ctx.exec.read(&apply).map_err(of_the_work)?;
                }
            }
        }
        Ok(())
    }

    fn cmd<'s>(&self, namespace: &str, args: impl IntoIterator<Item = &'s str>) -> Result<Cmd> {
        let kubectl = self.apart.kubectl(namespace)?;
        Ok(kubectl
            .cmd(args)
            .limit(ASKED)
            .envs(&self.apart.environment()))
    }

    fn get(&self, args: &[&str]) -> Result<Value> {
        let all = [&["get"], args, &["-o", "json"]].concat();
        let said = self.ctx.exec.read(&self.cmd("default", all)?)?;
        serde_json::from_str(&said).context("reading what kubectl said")
    }

    /// The deployment of the work's image, and the service that leads to its pods.
    fn find(&self, image: Option<&str>) -> Result<Served> {
        let all = self.get(&["deployments,services", "--all-namespaces"])?;
        let items = all["items"].as_array().into_iter().flatten();
        let runs = |one: &&Value| {
            let mut containers = pod_spec(one)["containers"].as_array().into_iter().flatten();
            one["kind"] == "Deployment" && containers.any(|c| c["image"].as_str() == image)
        };
        let deployment = items.clone().find(runs).with_context(|| {
            tr!(
                "no Deployment runs the image that Packer built",
                "aucun Deployment n'utilise l'image que Packer a construite"
            )
        });
        let deployment = deployment.map_err(of_the_work)?;
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        let namespace = &deployment["metadata"]["namespace"];
        let leads = |one: &&Value| {
            let selector = one["spec"]["selector"].as_object();
            one["kind"] == "Service"
                && one["metadata"]["namespace"] == *namespace
                && selector.is_some_and(|all| all.iter().all(|(key, value)| &labels[key] == value))
        };
        let service = items.clone().find(leads).with_context(|| {
            tr!(
                "no service leads to the page",
                "aucun service ne mène à la page"
            )
        });
        let service = service.map_err(of_the_work)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(Served {
            namespace: text(namespace),
            deployment: text(&deployment["metadata"]["name"]),
            service: text(&service["metadata"]["name"]),
            port: service["spec"]["ports"][0]["port"].as_u64().unwrap_or(80),
            node_port: service["spec"]["ports"][0]["nodePort"].as_u64(),
        })
    }

    fn await_ready(&self, served: &Served) -> Result<()> {
        let limit = format!("--timeout={}s", wait::MARKED_ROLLOUT.as_secs());
        let object = format!("deployment/{}", served.deployment);
        let cmd = self.cmd(&served.namespace, ["rollout", "status", &object, &limit])?;
        self.ctx
            .exec
            .read(&cmd.limit(wait::MARKED_ROLLOUT + ASKED))?;
        Ok(())
    }

    /// The page through the service, by the API server: no forward is in the way.
    fn page(&self, served: &Served) -> Result<String> {
        let Served {
            namespace,
            service,
            port,
            ..
        } = served;
        let path = format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy/");
        self.ctx
            .exec
            .read(&self.cmd(namespace, ["get", "--raw", &path])?)
    }

    fn look(&self, served: &Served, facts: &mut PageFacts) {
        let wanted = facts.source.as_ref();
        let wanted = wanted.and_then(|path| std::fs::read_to_string(self.root.join(path)).ok());
        match self.page(served) {
            Ok(page) => {
                facts.served = true;
                facts.own = wanted.is_some_and(|wanted| wanted.trim() == page.trim());
                facts.instead = Some(
                    page.split_whitespace()
                        .take(20)
                        .collect::<Vec<_>>()
                        .join(" "),
                );
            }
            Err(error) => facts.instead = Some(short(&error)),
        }
    }

    /// Its pods are deleted while a user is connected by the way that is announced.
    fn replace(&self, served: &Served, facts: &mut PageFacts) -> Result<()> {
        let step = self
            .ctx
            .ui
            .step(tr!("its pods are replaced", "ses pods sont remplacés"));
        let (url, _forward) = self.forward(served)?;
        let pods = format!("deployment/{}", served.deployment);
        let selector = self.get(&["-n", &served.namespace, &pods])?;
        let labels = selector["spec"]["selector"]["matchLabels"].as_object();
        let labels = labels.into_iter().flatten();
        let labels = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")));
        let labels = labels.collect::<Vec<_>>().join(",");
        let delete = [
            "delete",
            "pods",
            "-l",
            &labels,
            "--grace-period=1",
            "--wait=true",
        ];
        self.ctx
            .exec
            .read(&self.cmd(&served.namespace, delete)?.limit(wait::DELETION))?;
        self.await_ready(served)?;
        facts.back = wait::until(wait::MARKED_APP, || Ok(self.page(served).ok())).is_ok();
        wait::check_interrupt()?;
        let alive = http::page(&url).is_ok();
        facts.access = Some(Access {
            survived: facts.back && alive,
            mapped_by: served.node_port.and_then(|port| self.says_to_map(port)),
            kept_by: self.script_with(&["while", "port-forward"]),
        });
        step.done(if alive { "✓" } else { "–" });
        Ok(())
    }

    /// `kubectl port-forward`, as a user has it open.
    fn forward(&self, served: &Served) -> Result<(String, Process)> {
        let free = TcpListener::bind("127.0.0.1:0").context("finding a free port")?;
        let host = free.local_addr()?.port();
        drop(free);
        let (service, ports) = (
            format!("service/{}", served.service),
            format!("{host}:{}", served.port),
        );
        let cmd = self.cmd(&served.namespace, ["port-forward", &service, &ports])?;
        let log = File::create(self.scratch.join("forward.log")).context("making a log")?;
        let process = Process::start(&cmd, &log)?;
        let url = format!("http://127.0.0.1:{host}");
        wait::until(wait::FORWARD_UP, || Ok(http::responds(&url).then_some(())))?;
        Ok((url, process))
    }

    /// The text that says to make the cluster with a way to this port of its nodes, which
    /// the service really has.
    fn says_to_map(&self, node_port: u64) -> Option<String> {
        let to = format!(":{node_port}");
        let mut texts = self.layout.texts.iter();
        let found = texts.find(|text| {
            let joined = text.text.replace("\\\n", " ");
            let creations = joined
                .lines()
                .filter(|line| line.contains("k3d cluster create"));
            let mut words = creations.flat_map(str::split_whitespace);
            words.any(|word| {
                let port = word.split('@').next();
                port.is_some_and(|port| port.ends_with(&to))
            })
        });
        found.map(|text| text.path.clone())
    }

    fn script_with(&self, words: &[&str]) -> Option<String> {
        let mut scripts = self.layout.scripts();
        let found = scripts.find(|script| words.iter().all(|word| script.text.contains(word)));
        found.map(|script| script.path.clone())
    }

    /// The source is changed, and goes the work's own way.
    fn change(
        &mut self,
        served: &Served,
        template: Option<&Text>,
        facts: &PageFacts,
    ) -> Result<Changed> {
        let (Some(source), Some(template), Some(image)) = (&facts.source, template, &facts.image)
        else {
            return Ok(Changed::default());
        };
        let start = Instant::now();
        let mark = format!("<!-- check {:08x} -->", fastrand::u32(..));
        let file: PathBuf = self.root.join(source);
        let text = std::fs::read_to_string(&file).context("reading the page")?;
        workspace::write_file(&file, &format!("{text}\n{mark}\n"))?;
        let mut changed = Changed::default();
        let again = build_and_import(
            self.ctx,
            &mut self.apart,
            self.root,
            template,
            std::slice::from_ref(image),
        )
        .and_then(|()| play(self.ctx, &self.apart, self.root, self.layout, PLAYBOOKS));
        if let Err(error) = again {
            wait::check_interrupt()?;
            if !is_of_the_work(&error) {
                return Err(error);
            }
            changed.failed = Some(short(&error));
            return Ok(changed);
        }
        let step = self
            .ctx
            .ui
            .step(tr!("the changed page", "la page modifiée"));
        changed.shown = self.shows(served, &mark, wait::MARKED_PAGE)?;
        if !changed.shown
            && let Some(text) = self.says_restart()
        {
            let object = format!("deployment/{}", served.deployment);
            let restart = self.cmd(&served.namespace, ["rollout", "restart", &object])?;
            self.ctx.exec.read(&restart)?;
            self.await_ready(served)?;
            changed.restarted_by = Some(text);
            changed.shown = self.shows(served, &mark, wait::MARKED_PAGE)?;
        }
        changed.seconds = start.elapsed().as_secs_f64();
        step.done(if changed.shown { "✓" } else { "✗" });
        Ok(changed)
    }

    fn shows(&self, served: &Served, mark: &str, wait: wait::Wait) -> Result<bool> {
        let shown = wait::until(wait, || {
            Ok(self.page(served).ok().filter(|page| page.contains(mark)))
        });
        wait::check_interrupt()?;
        Ok(shown.is_ok())
    }

    /// A text that has the pods replaced.
    fn says_restart(&self) -> Option<String> {
        let words = ["rollout restart", "kubectl delete pod"];
        let mut texts = self.layout.texts.iter();
        let found = texts.find(|text| words.iter().any(|word| text.text.contains(word)));
        found.map(|text| text.path.clone())
    }
}
