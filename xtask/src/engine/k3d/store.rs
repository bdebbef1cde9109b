//! The embedded store for copies elsewhere beside the cluster: a container of its own, whose
//! data is in `.lab/offsite`, so that both outlive `k3d cluster delete`.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::lang::both;
use terms::tr;

use super::site::Site;
use crate::engine::offsite::Running;
use crate::exec::{self, Cmd, quote_path};
use crate::failure::Failure;
use crate::http;
use crate::kube::copying::STORE_PORT;
use crate::kube::fingerprint;
use crate::offsite::bucket;
use crate::offsite::store::{self, Store};
use crate::tools::k3d::OWNER;
use crate::wait;

/// Of the containers of one machine; clusters have one such name, too.
const NAME: &str = "pra-offsite";
/// The label that says what it was made from.
const MADE_FROM: &str = "atelier-pra.made-from";
/// The variable of a dry run's shell that has its address among the nodes.
const ADDRESS: &str = "STORE";
/// As the container sees them.
const DATA: &str = "/data";
const IDENTITIES: &str = "/s3.json";
/// Of S3, metadata, volumes and what leads them, in a container where all are free.
const PORTS: [u16; store::PORTS] = [STORE_PORT, 18333, 8888, 18888, 8080, 18080, 9333, 19333];

/// The container, as Docker has it.
struct Container {
    owner: String,
    made_from: String,
    running: bool,
    /// Its port of this machine.
    port: Option<u16>,
    networks: Value,
}

impl Container {
    fn parse(text: &str) -> Result<Self> {
        let said: Value = serde_json::from_str(text.trim()).context("reading docker inspect")?;
        let label = |name: &str| {
            let label = &said["Config"]["Labels"][name];
            label.as_str().unwrap_or_default().to_owned()
        };
        let networks = &said["NetworkSettings"];
        let port = &networks["Ports"][format!("{STORE_PORT}/tcp")][0]["HostPort"];
        Ok(Self {
            owner: label(OWNER),
            made_from: label(MADE_FROM),
            running: said["State"]["Running"] == true,
            port: port.as_str().and_then(|port| port.parse().ok()),
            networks: networks["Networks"].clone(),
        })
    }

    fn address_in(&self, network: &str) -> Option<&str> {
        let address = self.networks[network]["IPAddress"].as_str();
        address.filter(|address| !address.is_empty())
    }
}

impl Site {
    /// The network that k3d makes for the cluster's nodes.
    fn network(&self) -> String {
        format!("k3d-{}", self.name)
    }

    /// The store runs, with its bucket; it needs no cluster for that.
    pub(super) fn ensure_store(&self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return self.ensure_container();
        }
        let what = tr!("store for copies", "stockage des copies");
        let step = self.ctx.ui.step(what);
        self.ensure_container()?;
        let endpoint = self.await_store()?;
        let owned = Store::at(&endpoint, &self.ctx.workspace).by_owner(&self.ctx.workspace);
        let venv = self.ctx.venv();
        venv.ensure(&self.ctx.exec, &self.ctx.ui)?;
        let config = &self.ctx.config.offsite;
        let said = bucket::ensure(config, &self.ctx.workspace, &venv.python(), &owned)?;
        step.done(said);
        Ok(())
    }

    /// The cluster's nodes reach it, at the address that is returned.
    pub(super) fn attach_store(&self) -> Result<String> {
        let network = self.network();
        let connect = Cmd::new("docker").args(["network", "connect", &network, NAME]);
        if self.ctx.exec.dry_run() {
            if self.store_address()?.is_none() {
                self.ctx.exec.run(&connect)?;
            }
            let address =
                format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
            let ask = ["container", "inspect", "--format", &address, NAME];
            let ask = Cmd::new("docker").args(ask).to_string();
            self.ctx.exec.show(&exec::kept_in(ADDRESS, &ask));
            return Ok(exec::variable(ADDRESS));
        }
        if let Some(address) = self.store_address()? {
            return Ok(address);
        }
        self.ctx.exec.run(&connect)?;
        self.store_address()?.with_context(|| {
            tr!(
                "Docker gave the store no address in {network}",
                "Docker n'a pas donné d'adresse au stockage dans {network}",
            )
        })
    }

    /// Where the nodes reach it; `None` where it does not run.
    pub(super) fn store_address(&self) -> Result<Option<String>> {
        let running = self.container()?.filter(|one| one.running);
        let address = running.as_ref();
        let address = address.and_then(|one| one.address_in(&self.network()));
        Ok(address.map(str::to_owned))
    }

    /// For who reads copies on this machine, also where there is no cluster any more.
    pub(super) fn running_store(&self) -> Result<Running> {
        if self.folder_of_store().is_none() {
            return Err(store::never_ran().into());
        }
        let found = self.container()?;
        let was_there = found.is_some();
        match found {
            // As it is: a lab may use it.
            Some(found) => {
                self.insist_on_own_store(&found)?;
                if !found.running {
                    self.start_container()?;
                }
            }
            None => self.ensure_container()?,
        }
        if self.ctx.exec.dry_run() {
            let shown = format!("http://127.0.0.1:{STORE_PORT}");
            let store = Store::at(&shown, &self.ctx.workspace);
            return Ok(Running { store, end: None });
        }
        let store = Store::at(&self.await_store()?, &self.ctx.workspace);
        let site = self.clone();
        let end: Box<dyn FnOnce()> = Box::new(move || {
            // One that a lab uses by now stays.
            let ended = site.store_address().and_then(|used| match used {
                Some(_) => Ok(()),
                None => site.remove_store(),
            });
            if let Err(error) = ended {
                site.ctx.ui.warn(&format!("{error:#}"));
            }
        });
        Ok(Running {
            store,
            end: (!was_there).then_some(end),
        })
    }

    /// Where its S3 answers on this machine, once it does.
    fn await_store(&self) -> Result<String> {
        let endpoint = wait::until(wait::STORE_UP, || {
            let container = self.container()?.with_context(no_container)?;
            let Some(port) = container.port.filter(|_| container.running) else {
                return Ok(None);
            };
            let endpoint = format!("http://127.0.0.1:{port}");
            let answers = http::answers(&format!("{endpoint}/healthz"), 1);
            Ok((answers && self.store_knows_volumes()?).then_some(endpoint))
        });
        endpoint.map_err(|error| {
            let said = tr!(
                "the store for copies does not answer",
                "le stockage des copies ne répond pas",
            );
            error.context(Failure::tool(said).next(format!("docker logs {NAME}")))
        })
    }

    /// What leads it is asked inside: nobody else is to reach that.
    fn store_knows_volumes(&self) -> Result<bool> {
        let leader = format!("http://127.0.0.1:{}/dir/status", PORTS[6]);
        let ask = ["exec", NAME, "wget", "-q", "-O", "-", &leader];
        let said = self.ctx.exec.probe(&Cmd::new("docker").args(ask))?;
        let status = serde_json::from_str(&said.stdout);
        Ok(status.is_ok_and(|status| store::knows_volumes(&status)))
    }

    /// Where its copies are; `None` where it never ran.
    pub(super) fn folder_of_store(&self) -> Option<PathBuf> {
        let data = store::data_of_container(&self.ctx.workspace);
        store::ran(&data).then_some(data)
    }

    pub(super) fn remove_copies(&self) -> Result<()> {
        let workspace = &self.ctx.workspace;
        let Some(data) = self.folder_of_store() else {
            return Ok(());
        };
        if !self.ctx.exec.dry_run() && self.has_own_store()? {
            return Err(Failure::usage(tr!(
                "the store for copies runs still, with the copies that are to be removed",
                "le stockage des copies tourne encore, avec les copies qui doivent être supprimées",
            ))
            .next("cargo xtask --engine k3d teardown --copies")
            .into());
        }
        let doomed = store::with_credentials(workspace, &data);
        workspace.insist_on_own_folder(&doomed)?;
        if self
            .ctx
            .exec
            .change(&format!("rm -rf {}", quote_path(&doomed)))
        {
            std::fs::remove_dir_all(&doomed)
                .with_context(|| format!("removing {}", doomed.display()))?;
        }
        Ok(())
    }

    /// The container is there and runs, made from what is declared.
    fn ensure_container(&self) -> Result<()> {
        let workspace = &self.ctx.workspace;
        let image = &self.ctx.config.images.store;
        if self.ctx.exec.dry_run() {
            if !store::exists(workspace) {
                return Err(store::not_drawn().into());
            }
            if self.container()?.is_some() {
                return self.start_container();
            }
            self.images.ensure_here(image)?;
            return self.ctx.exec.run(&self.create("")?);
        }
        let found = self.container()?;
        if let Some(found) = &found {
            self.insist_on_own_store(found)?;
        }
        workspace.create()?;
        store::ensure(workspace)?;
        let made_from = fingerprint::of(self.create("")?.args.iter().map(String::as_str));
        if let Some(found) = found.filter(|one| one.made_from == made_from) {
            return match found.running {
                true => Ok(()),
                false => self.start_container(),
            };
        }
        self.images.ensure_here(image)?;
        self.remove_store()?;
        let create = self.create(&made_from)?.limit(wait::NODE_CONTAINER);
        self.ctx.exec.run(&create)
    }

    fn start_container(&self) -> Result<()> {
        let start = Cmd::new("docker").args(["start", NAME]);
        self.ctx.exec.run(&start.limit(wait::NODE_CONTAINER))
    }

    /// It runs as whoever its data belongs to. S3 alone is reached by others.
    fn create(&self, made_from: &str) -> Result<Cmd> {
        let workspace = &self.ctx.workspace;
        let data = store::data_of_container(workspace);
        let owned = std::fs::metadata(&data).or_else(|_| std::fs::metadata(&workspace.root));
        let owned = owned.context("reading whose the store's folder is")?;
        let user = format!("{}:{}", owned.uid(), owned.gid());
        let identities = store::identities(workspace);
        let mounts = [
            format!("{}:{DATA}", data.display()),
            format!("{}:{IDENTITIES}:ro", identities.display()),
        ];
        let owner = format!("{OWNER}={}", self.kube.identity()?.id);
        let made_from = format!("{MADE_FROM}={made_from}");
        let port = format!("127.0.0.1::{STORE_PORT}");
        let cmd = Cmd::new("docker").args([
            "run",
            "--detach",
            "--name",
            NAME,
            "--restart",
            "unless-stopped",
            "--user",
            &user,
            "--label",
            &owner,
            "--label",
            &made_from,
            "--publish",
            &port,
            "--volume",
            &mounts[0],
            "--volume",
            &mounts[1],
            "--workdir",
            DATA,
            "--entrypoint",
            "weed",
            &self.ctx.config.images.store,
        ]);
        let cmd = cmd.args(store::arguments(DATA, IDENTITIES, &PORTS));
        Ok(cmd.args(["-s3.ip.bind=0.0.0.0"]))
    }

    /// Whatever runs for the cluster alone goes with it; the data stays.
    pub(super) fn remove_store(&self) -> Result<()> {
        let Some(found) = self.container()? else {
            return Ok(());
        };
        self.insist_on_own_store(&found)?;
        // It writes what it has to as soon as it is asked to stop.
        let stop = Cmd::new("docker").args(["stop", NAME]);
        self.ctx.exec.run(&stop.limit(wait::NODE_CONTAINER))?;
        let remove = Cmd::new("docker").args(["rm", "--force", NAME]);
        self.ctx.exec.run(&remove.limit(wait::NODE_CONTAINER))
    }

    /// Whether there is a container that this checkout made.
    pub(super) fn has_own_store(&self) -> Result<bool> {
        let us = self.kube.identity()?.id;
        Ok(self.container()?.is_some_and(|one| one.owner == us))
    }

    fn insist_on_own_store(&self, found: &Container) -> Result<()> {
        if found.owner == self.kube.identity()?.id {
            return Ok(());
        }
        Err(Failure::usage(tr!(
            "the container {NAME} is another checkout's, or was made by hand: nothing is changed \
             there",
            "le conteneur {NAME} est celui d'un autre dépôt, ou a été fait à la main : rien n'y \
             est modifié",
        ))
        .next(tr!(
            "where nobody needs it: docker rm --force {NAME}, then the same command again",
            "si personne n'en a besoin : docker rm --force {NAME}, puis relancez la même commande",
        ))
        .into())
    }

    fn container(&self) -> Result<Option<Container>> {
        let words = ["container", "inspect", "--format", "{{json .}}", NAME];
        let said = self.ctx.exec.probe(&Cmd::new("docker").args(words))?;
        if said.status.success() {
            return Container::parse(&said.stdout).map(Some);
        }
        match said.stderr.to_lowercase().contains("no such container") {
            true => Ok(None),
            false => Err(Failure::tool(said.stderr.trim()).next("docker info").into()),
        }
    }
}

fn no_container() -> &'static str {
    both(
        "the container of the store for copies is gone",
        "le conteneur du stockage des copies a disparu",
    )
    .text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_tells_whose_it_is_and_where_it_is_reached() {
        let said = r#"{"State":{"Running":true},"Config":{"Labels":
            {"atelier-pra.made-from":"x"}},"NetworkSettings":{"Ports":{"8333/tcp":
            [{"HostIp":"127.0.0.1","HostPort":"32768"}]},"Networks":
            {"bridge":{"IPAddress":"172.17.0.2"},"k3d-pra":{"IPAddress":"172.19.0.7"}}}}"#;
        let found = Container::parse(said).unwrap();
        assert!(found.running && found.owner.is_empty() && found.made_from == "x");
        assert_eq!(found.port, Some(32768));
        let address = found.address_in("k3d-pra");
        assert_eq!(address, Some("172.19.0.7"));
        assert_eq!(found.address_in("k3d-other"), None);
        let stopped = Container::parse(r#"{"NetworkSettings":{"Ports":{}}}"#).unwrap();
        assert!(!stopped.running && stopped.port.is_none());
    }
}
