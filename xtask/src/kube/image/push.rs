//! The image on its way into a registry that the nodes pull from. Its tag is its content:
//! a changed image has another name, so that no node runs an older one under it.

use std::path::Path;

use anyhow::{Context as _, Result};
use terms::lang::{Both, both};
use terms::tr;

use super::Images;
use super::pushed::{self, Pushed, TAG};
use crate::config::Kubernetes;
use crate::exec::{Cmd, kept_in, variable};
use crate::failure::Failure;
use crate::tools::docker::{self, Image};
use crate::tools::known_errors::{self, KnownError};
use crate::wait;

/// So many digits of an image's hash are its tag.
const DIGITS: usize = 12;

impl Images {
    /// The registry has the image that is made from what is in the checkout; where it was
    /// given that already, neither Docker nor the registry is asked.
    pub fn ensure_pushed(&self, settings: &Kubernetes, folder: &Path) -> Result<()> {
        if let Some(pushed) = self.pushed_of_inputs(settings, folder)? {
            self.ctx.ui.note(&tr!(
                "the registry was given {image}, made of the same",
                "le registre a reçu {image}, faite de la même chose",
                image = pushed.reference,
            ));
            return Ok(());
        }
        let image = self.ensure()?;
        self.push(settings, folder, image.as_ref())
    }

    /// What was pushed, where that is what would be built now.
    pub fn pushed_of_inputs(&self, settings: &Kubernetes, folder: &Path) -> Result<Option<Pushed>> {
        let Some(pushed) = pushed::read(folder)? else {
            return Ok(None);
        };
        let here = format!("{}:", self.named(settings.registry()));
        if !pushed.reference.starts_with(&here) {
            return Ok(None);
        }
        let same = self.inputs()?.is_some_and(|inputs| inputs == pushed.inputs);
        Ok(same.then_some(pushed))
    }

    /// Gives the registry the image that was built, whatever it was given before.
    pub fn push(&self, settings: &Kubernetes, folder: &Path, image: Option<&Image>) -> Result<()> {
        let (there, target) = (
            settings.push_registry(),
            self.named(settings.push_registry()),
        );
        let Some(image) = image else {
            return self.show_push(settings);
        };
        let tag = tag(image);
        let target = format!("{target}:{tag}");
        let step = self.ctx.ui.step(format!("push {target}"));
        let rename = Cmd::new("docker").args(["tag", &self.recipe.image(), &target]);
        self.ctx.exec.run(&rename)?;
        let push = Cmd::new("docker").args(["push", "--quiet", &target]);
        let pushed = self.ctx.exec.run(&push.limit(wait::PUSH));
        pushed.map_err(|error| explain(error, there))?;
        if !self.ctx.exec.dry_run() {
            let digest = self.digest(&target)?;
            if digest.is_empty() {
                self.ctx.ui.warn(&tr!(
                    "Docker does not say by which digest the registry has {target}: the lab names it \
                     by its tag alone",
                    "Docker ne dit pas sous quelle empreinte le registre a {target} : le lab la nomme \
                     par son seul tag",
                ));
            }
            let pushed = Pushed {
                reference: format!("{}:{tag}{digest}", self.named(settings.registry())),
                inputs: image
                    .inputs()
                    .context("the image does not say what it is made of")?
                    .to_owned(),
            };
            pushed::write(folder, &pushed)?;
        }
        step.done(tr!("the registry has it", "le registre l'a"));
        Ok(())
    }

    /// What the registry told when it took the image, as it follows a tag: who can write to the
    /// registry cannot put another image under that. Empty where Docker knows none.
    fn digest(&self, target: &str) -> Result<String> {
        let told = self.ctx.exec.read(&digests_of(target))?;
        Ok(docker::digest_in(&told, target).unwrap_or_default())
    }

    /// The same for an image that is built only where this is pasted.
    fn show_push(&self, settings: &Kubernetes) -> Result<()> {
        let exec = &self.ctx.exec;
        let last = 7 + DIGITS;
        let format = format!("{{{{slice .Id 7 {last}}}}}");
        let image = self.recipe.image();
        let ask = Cmd::new("docker").args(["image", "inspect", "--format", &format, &image]);
        exec.show(&kept_in(TAG, &ask.to_string()));
        let target = format!("{}:{}", self.named(settings.push_registry()), variable(TAG));
        exec.run(&Cmd::new("docker").args(["tag", &image, &target]))?;
        exec.run(&Cmd::new("docker").args(["push", "--quiet", &target]))?;
        let name = self.named(settings.push_registry());
        let digest = format!("{} | sed -n 's|^{name}@|@|p'", digests_of(&target));
        exec.show(&kept_in(
            TAG,
            &format!("printf %s \"${{{TAG}:?}}\"; {digest}"),
        ));
        Ok(())
    }

    /// The image's place in a registry, without its tag.
    fn named(&self, registry: &str) -> String {
        pushed::place(registry, self.recipe.repository)
    }
}

fn digests_of(image: &str) -> Cmd {
    Cmd::new("docker").args(["image", "inspect", "--format", docker::DIGESTS, image])
}

/// The first digits of the image's own hash.
fn tag(image: &Image) -> String {
    let hash = image.id.rsplit(':').next().unwrap_or_default();
    hash.chars().take(DIGITS).collect()
}

fn explain(error: anyhow::Error, registry: &str) -> anyhow::Error {
    let host = registry.split('/').next().unwrap_or_default();
    let explained = known_errors::explain(error, REFUSALS);
    let next = crate::failure::next(&explained).map(|next| next.replace("HOST", host));
    let Some(next) = next else {
        let said = tr!("pushing to {registry}", "envoi vers {registry}");
        return explained.context(Failure::tool(said).next(tr!(
            "check kubernetes.registry and push_registry in lab.toml, then cargo xtask push",
            "vérifiez kubernetes.registry et push_registry dans lab.toml, puis cargo xtask push",
        )));
    };
    let said = tr!(
        "the image cannot be pushed to {registry}",
        "l'image ne peut pas être envoyée vers {registry}",
    );
    explained.context(Failure::preflight(said).next(next))
}

/// Why a registry takes no image. HOST stands for its name.
const REFUSALS: &[KnownError] = &[
    KnownError {
        said: &["server gave HTTP response to HTTPS client"],
        plain: both(
            "the registry speaks plain HTTP, which Docker accepts of this machine alone",
            "le registre parle HTTP en clair, ce que Docker n'accepte que de cette machine",
        ),
        next: both(
            "add HOST to the insecure-registries of /etc/docker/daemon.json and restart Docker, \
             or state a name of this machine as kubernetes.push_registry",
            "ajoutez HOST aux insecure-registries de /etc/docker/daemon.json et relancez Docker, \
             ou indiquez un nom de cette machine dans kubernetes.push_registry",
        ),
    },
    KnownError {
        said: &[
            "no basic auth credentials",
            "authentication required",
            "unauthorized",
        ],
        plain: both(
            "the registry wants a login that Docker does not have",
            "le registre demande une identification que Docker n'a pas",
        ),
        next: Both::same("docker login HOST"),
    },
    KnownError {
        said: &["denied", "insufficient_scope", "forbidden"],
        plain: both(
            "the registry refuses this account the right to push there",
            "le registre refuse à ce compte le droit d'y envoyer une image",
        ),
        next: both(
            "docker login HOST with another account, or another prefix as kubernetes.registry",
            "docker login HOST avec un autre compte, ou un autre préfixe dans kubernetes.registry",
        ),
    },
    KnownError {
        said: &["name unknown", "repository does not exist", "NAME_UNKNOWN"],
        plain: both(
            "the registry has no such repository, and makes none by itself",
            "le registre n'a pas ce dépôt d'images et n'en crée pas de lui-même",
        ),
        next: both(
            "have the repository made there, then cargo xtask push",
            "faites-y créer le dépôt d'images, puis cargo xtask push",
        ),
    },
    KnownError {
        said: &["x509:", "certificate"],
        plain: both(
            "the registry's certificate is none that Docker trusts",
            "le certificat du registre n'est pas de ceux que Docker reconnaît",
        ),
        next: both(
            "put its authority into /etc/docker/certs.d/HOST/ca.crt",
            "mettez son autorité dans /etc/docker/certs.d/HOST/ca.crt",
        ),
    },
    KnownError {
        said: &[
            "no such host",
            "connection refused",
            "i/o timeout",
            "no route to host",
        ],
        plain: both("the registry does not answer", "le registre ne répond pas"),
        next: both(
            "curl -fsS https://HOST/v2/ and kubernetes.registry in lab.toml",
            "curl -fsS https://HOST/v2/ et kubernetes.registry dans lab.toml",
        ),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};

    #[test]
    fn an_image_is_named_by_its_content() {
        let id = "sha256:0123456789abcdef";
        let image = Image::parse(&format!(r#"{{"Id":"{id}","Config":{{}}}}"#)).unwrap();
        assert_eq!(tag(&image), "0123456789ab");
    }

    #[test]
    fn what_a_registry_refuses_is_told_with_its_name() {
        for (said, helps) in [
            (
                "Get \"https://r.example:5000/v2/\": http: server gave HTTP response to HTTPS client",
                "add r.example:5000",
            ),
            (
                "unauthorized: authentication required",
                "docker login r.example:5000",
            ),
            (
                "denied: requested access to the resource is denied",
                "another account",
            ),
            (
                "dial tcp: lookup r.example: no such host",
                "curl -fsS https://r.example:5000",
            ),
            (
                "x509: certificate signed by unknown authority",
                "certs.d/r.example:5000",
            ),
        ] {
            let error = explain(
                Failure::tool("`docker` failed").printed(said).into(),
                "r.example:5000/team",
            );
            assert_eq!(kind(&error), Kind::Preflight, "{said}");
            assert!(error.to_string().contains("r.example:5000/team"), "{error}");
            assert!(next(&error).unwrap().contains(helps), "{:?}", next(&error));
        }
        let other = explain(
            Failure::tool("`docker` failed")
                .printed("something else")
                .into(),
            "r.example",
        );
        assert_eq!(kind(&other), Kind::Tool);
        assert!(next(&other).unwrap().contains("cargo xtask push"));
    }
}
