//! What building an image and deploying it need of this machine, whichever cluster it is for.

use std::path::Path;

use anyhow::Result;
use nix::unistd::{AccessFlags, access};
use terms::tr;

use crate::context::Context;
use crate::exec::Cmd;
use crate::exec::environment::LOCALE;
use crate::failure::Failure;
use crate::pins::Platform;
use crate::tools::python;
use crate::tools::toolbox::{self, Found, Tool};
use crate::version::Version;

/// Packer keeps its plugins there.
pub fn home_is_writable() -> Result<String> {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let shown = Path::new(&home).display();
    match access(Path::new(&home), AccessFlags::W_OK) {
        Ok(()) => Ok(tr!(
            "{shown} is writable",
            "{shown} est accessible en écriture"
        )),
        Err(error) => Err(Failure::preflight(tr!(
            "HOME is {shown}, which Packer cannot write to: {error}",
            "HOME est {shown}, où Packer ne peut pas écrire : {error}",
        ))
        .next(tr!(
            "export HOME=FOLDER, one of yours that can be written",
            "export HOME=DOSSIER, l'un des vôtres où l'on peut écrire",
        ))
        .into()),
    }
}

/// Ansible refuses to run in another one, once the cluster is there.
pub fn locale_is_utf8(ctx: &Context) -> Result<String> {
    const ASK: &str = "import locale; locale.setlocale(locale.LC_ALL, ''); \
                       print(locale.getlocale()[1])";
    let python = python::find(&ctx.exec, ctx.config.python.minimum())?.path;
    let asked = Cmd::new(python.to_string_lossy()).args(["-c", ASK]);
    let output = ctx.exec.probe(&asked)?;
    let (_, locale) = LOCALE;
    if output.status.success() && output.stdout.trim().eq_ignore_ascii_case("utf-8") {
        return Ok(locale.to_owned());
    }
    Err(Failure::preflight(tr!(
        "this machine does not have the locale {locale}, which Ansible needs",
        "cette machine n'a pas la locale {locale}, qu'il faut à Ansible",
    ))
    .next(format!("sudo localedef -i C -f UTF-8 {locale}"))
    .into())
}

/// A tool is there, or can be downloaded; kubectl fits nodes whose version is known.
pub fn tool_will_do(ctx: &Context, tool: Tool, nodes: Option<Version>) -> Result<String> {
    match ctx.tools.find_once(tool)? {
        Found::Ready { program, version } => {
            let nodes = nodes.filter(|_| tool == Tool::Kubectl);
            if let Some(nodes) = nodes.filter(|nodes| !toolbox::one_apart(*nodes, version)) {
                return Err(Failure::preflight(tr!(
                    "kubectl {version} is more than one minor version from the cluster's {nodes}",
                    "kubectl {version} est à plus d'une version mineure du {nodes} du cluster",
                ))
                .next(tr!(
                    "make tools.kubectl and k3d.node_image in lab.toml fit each other",
                    "accordez tools.kubectl et k3d.node_image dans lab.toml",
                ))
                .into());
            }
            Ok(format!("{version} ({program})"))
        }
        Found::Missing(why) => {
            let pin = ctx.tools.pin(tool);
            let platform = Platform::here().ok_or_else(|| {
                Failure::preflight(tr!(
                    "{why}, and none is published for this machine",
                    "{why}, et aucun n'est publié pour cette machine",
                ))
                .next(tr!(
                    "put {tool} {version} on PATH",
                    "mettez {tool} {version} dans le PATH",
                    tool = tool.name(),
                    version = pin.version().get_ref(),
                ))
            })?;
            Ok(tr!(
                "{why}: will be downloaded from {url}",
                "{why} : sera téléchargé depuis {url}",
                url = pin.url(&platform),
            ))
        }
    }
}

pub fn has_curl() -> Result<String> {
    which::which("curl")
        .map(|path| path.display().to_string())
        .map_err(|_| {
            Failure::preflight(tr!(
                "`curl` was not found on PATH: the tools cannot be downloaded",
                "`curl` est introuvable dans le PATH : les outils ne peuvent pas être téléchargés",
            ))
            .next(tr!(
                "install curl, or put the tools of lab.toml on PATH",
                "installez curl, ou mettez les outils de lab.toml dans le PATH",
            ))
            .into()
        })
}
